//! A pair that calls a pair: a shop that books each order on a bank.

use super::{enough, numbers};
use pollux::{FileError, Node, Pair, ReceiveDepth, Result};
use std::sync::atomic::Ordering;

/// Keeps a balance: a request is an amount, the reply the new balance.
pub fn bank() -> Result<()> {
    let pair = Pair::join()?;
    let balance = pair.cell::<i64>("balance")?;
    let mut receive = pair.receive(ReceiveDepth::new(64)?)?;
    while let Some(request) = receive.next()? {
        match request.parse::<i64>() {
            Ok(amount) => {
                let now = balance.update(|old| old.unwrap_or(0) + amount)?;
                request.reply(now.to_string())?;
            }
            Err(_) => request.reply_error(FileError::ILLEGAL_REQUEST)?,
        }
    }
    Ok(())
}

/// Books each order on the bank, in two halves, before it answers with the number of orders and the bank's last balance.
pub fn shop() -> Result<()> {
    let pair = Pair::join()?;
    let orders = pair.cell::<u64>("orders")?;
    let bank = pair.open("$BANK")?;
    let mut receive = pair.receive(ReceiveDepth::new(64)?)?;
    while let Some(request) = receive.next()? {
        if request.bytes().is_empty() {
            request.reply(orders.get()?.unwrap_or(0).to_string())?;
            continue;
        }
        bank.request(b"1")?;
        let balance = bank.request(b"1")?;
        let count = orders.update(|old| old.unwrap_or(0) + 1)?;
        request.reply(format!("{count} {}", String::from_utf8_lossy(&balance)))?;
    }
    Ok(())
}

/// Orders at least `times` times and until standard input ends; the only customer of shop and bank.
pub fn buy(times: u64) -> Result<()> {
    let node = Node::connect()?;
    let (mut shop, mut bank) = (node.open("$SHOP")?, node.open("$BANK")?);
    let enough = enough();
    let mut bought = 0;
    while bought < times || !enough.load(Ordering::SeqCst) {
        let reply = numbers(&shop.request(b"order")?);
        bought += 1;
        assert_eq!(reply, [bought, 2 * bought], "orders and balance after order {bought}");
        if bought == 1 || bought % 200 == 0 {
            println!("bought {bought}");
        }
    }
    assert_eq!(numbers(&bank.request(b"0")?), [2 * bought], "the bank's own word");
    assert_eq!(numbers(&shop.request(b"")?), [bought], "the shop's own word");
    println!("bought {bought}");
    Ok(())
}

//! A pair that calls a pair: a shop that books on an account. Kill either of them; each order is booked once.
//!
//! ```text
//! cargo build --release --example two_tiers --package pollux
//! pollux up
//! pollux run --name '$BANK' --pair target/release/examples/two_tiers bank
//! pollux run --name '$SHOP' --pair target/release/examples/two_tiers shop
//! target/release/examples/two_tiers buy 10000 &
//! pollux kill '$SHOP'; pollux kill '$BANK'
//! ```
//!
//! `buy N` orders N times at price 1 and then compares the shop's count with the bank's balance.

use pollux::{FileError, Node, Pair, ReceiveDepth, Result};
use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["bank"] => bank(),
        ["shop"] => shop(),
        ["buy", times] => match times.parse() {
            Ok(times) => buy(times),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("two_tiers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: two_tiers bank | two_tiers shop | two_tiers buy TIMES");
    ExitCode::from(2)
}

/// Keeps a balance: a request is an amount, the reply the new balance.
fn bank() -> Result<bool> {
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
    Ok(true)
}

/// Takes orders and books each on the bank before it answers.
fn shop() -> Result<bool> {
    let pair = Pair::join()?;
    let orders = pair.cell::<u64>("orders")?;
    let bank = pair.open("$BANK")?;
    let mut receive = pair.receive(ReceiveDepth::new(64)?)?;
    while let Some(request) = receive.next()? {
        if request.bytes().is_empty() {
            request.reply(orders.get()?.unwrap_or(0).to_string())?;
            continue;
        }
        // If this half dies after the bank has booked, the new primary handles the order again: its call meets the one on
        // record and gets the same answer.
        bank.request(request.bytes())?;
        let count = orders.update(|old| old.unwrap_or(0) + 1)?;
        request.reply(count.to_string())?;
    }
    Ok(true)
}

/// Buys and checks.
fn buy(times: i64) -> Result<bool> {
    let node = Node::connect()?;
    let (mut shop, mut bank) = (node.open("$SHOP")?, node.open("$BANK")?);
    let balance_before: i64 = number(&bank.request(b"0")?);
    let orders_before: i64 = number(&shop.request(b"")?);
    for _ in 0..times {
        shop.request(b"1")?;
    }
    let booked = number(&bank.request(b"0")?) - balance_before;
    let ordered = number(&shop.request(b"")?) - orders_before;
    println!("{times} bought, {ordered} orders, {booked} booked");
    Ok(booked == times && ordered == times)
}

fn number(bytes: &[u8]) -> i64 {
    String::from_utf8_lossy(bytes).parse().unwrap_or(-1)
}

use super::*;

fn one(parameters: &str) -> Result<Table, TableError> {
    let rows = "result = \"error\"\nstatus = \"full\"\nmanual = \"\"\n";
    Table::parse(&format!("[[procedure]]\nname = \"DEMO_\"\n{rows}parameters = \"\"\"\n{parameters}\"\"\"\n"))
}

/// Everything is made from the table: a slip in it must not wait for the first user of a header.
#[test]
fn the_built_in_table_is_good() {
    let table = Table::parse(SOURCE).expect("the table is good");
    assert!(table.provided().count() > 80);
    let open = table.find("FILE_OPEN_").expect("it is there");
    assert_eq!(open.list().len(), 12);
    assert_eq!(open.list()[11].number, 11);
    assert_eq!(open.groups(), vec![std::ops::Range { start: 0, end: 2 }]);
    let create = table.find("PROCESS_CREATE_").expect("it is there");
    assert_eq!(create.list().len(), 28);
    assert_eq!(create.list()[27].number, 20);
    assert_eq!(create.missing_result(), 2);
    let pair = table.find("PROCESS_GETPAIRINFO_").expect("it is there");
    assert_eq!(pair.groups(), [1..4, 8..10, 11..14]);
}

#[test]
fn brackets_and_plus_are_read() {
    let table = one("1 a name\n1 + b i16\n2 [c] output as struct c *\n2 + d i16\n").expect("it is good");
    let list = table.find("DEMO_").expect("it is there").list().to_vec();
    assert_eq!(list.iter().map(|one| one.required).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(list[2].c_type.as_deref(), Some("struct c *"));
    assert!(list[3].follows);
}

/// A table with two meanings is worse than none: each slip is refused by name.
#[test]
fn slips_are_refused() {
    for (lines, said) in [
        ("1 a\n", "expected NUMBER NAME KIND"),
        ("x a i16\n", "begins with its number"),
        ("1 a i17\n", "unknown kind"),
        ("1 A i16\n", "lower snake case"),
        ("1 type i16\n", "no keyword"),
        ("1 + a i16\n", "needs a parameter before"),
        ("1 a i16\n2 a i16\n", "twice"),
        ("1 a i16\n3 b i16\n", "up by one"),
    ] {
        let error = one(lines).expect_err(lines).to_string();
        assert!(error.contains(said) && error.contains("DEMO_"), "{lines:?} gives {error}");
    }
    let unknown_key = "[[procedure]]\nname = \"A\"\ncolour = 1\n";
    assert!(Table::parse(unknown_key).is_err());
}

//! What texts name, and which of them name nothing.

use super::*;
use proptest::prelude::*;

fn etcd(text: &str) -> EtcdPlace {
    match Place::parse(text, "pollux/N1") {
        Ok(Place::Etcd(place)) => place,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_place_is_what_its_text_says() {
    // An operator would connect a node to another store than the one he wrote.
    let local = Place::parse("local:/run/pollux/coordinator", "").unwrap();
    assert_eq!(local, Place::Local("/run/pollux/coordinator".into()));

    let short = etcd("etcd://a");
    assert_eq!(short.endpoints, ["a:2379"]);
    assert_eq!((short.prefix.as_str(), &short.tls, &short.user), ("pollux/N1", &None, &None));
    assert_eq!(short.limit, Duration::from_millis(LIMIT_MS));

    let long = etcd(
        "etcd://a.example:1,10.0.0.2,[::1]:3,[fe80::1]/site/N2?ca=/c%20a&cert=c&key=k&server-name=s&user=u%26v\
         &password-file=p&limit-ms=700",
    );
    assert_eq!(long.endpoints, ["a.example:1", "10.0.0.2:2379", "[::1]:3", "[fe80::1]:2379"]);
    assert_eq!(long.prefix, "site/N2");
    let files = TlsFiles {
        ca: "/c a".into(),
        client: Some(("c".into(), "k".into())),
        server_name: Some("s".to_owned()),
    };
    assert_eq!(long.tls, Some(files));
    assert_eq!(long.user, Some(User { name: "u&v".to_owned(), password_file: "p".into() }));
    assert_eq!(long.limit, Duration::from_millis(700));
}

#[test]
fn what_names_nothing_is_refused_with_the_reason() {
    // A typing error would start a node with a store of its own: two owners of each name (S10).
    let many =
        format!("etcd://{}", (0..=ENDPOINTS_MAX).map(|n| format!("h{n}")).collect::<Vec<_>>().join(","));
    let long = format!("etcd://a/{}", "p".repeat(PREFIX_BYTES_MAX + 1));
    for (text, why) in [
        ("", "no such kind"),
        ("/run/pollux", "no such kind"),
        ("http://a", "no such kind"),
        ("local:", "path is missing"),
        ("etcd://", "host is missing"),
        ("etcd://a,,b", "host is missing"),
        ("etcd://a,a:2379", "named twice"),
        (&many, "more than"),
        ("etcd://root:secret@a", "password-file"),
        ("etcd://a:0", "no port"),
        ("etcd://a:+1", "no port"),
        ("etcd://a:65536", "no port"),
        ("etcd://:1", "no address"),
        ("etcd://a b", "no address"),
        ("etcd://fe80::1", "brackets"),
        ("etcd://[::1", "closing bracket"),
        ("etcd://[x]:1", "IPv6"),
        ("etcd://[::1]1", "no address"),
        ("etcd://a/p/", "empty part"),
        ("etcd://a//p", "empty part"),
        ("etcd://a/p q", "printable"),
        ("etcd://a/p/data", "may not be a part"),
        (&long, "longer than"),
        ("etcd://a?tls=yes", "no option"),
        ("etcd://a?ca", "no value"),
        ("etcd://a?ca=", "no value"),
        ("etcd://a?ca=1&ca=2", "twice"),
        ("etcd://a?ca=%2", "%25"),
        ("etcd://a?ca=%ff", "UTF-8"),
        ("etcd://a?cert=c&key=k", "need ca"),
        ("etcd://a?ca=c&cert=c", "belong together"),
        ("etcd://a?user=u", "belong together"),
        ("etcd://a?limit-ms=0", "not a number from"),
        ("etcd://a?limit-ms=x", "not a number from"),
    ] {
        match Place::parse(text, "pollux") {
            Err(Error::Invalid { reason }) => {
                assert!(reason.contains(why), "{text}: {reason}");
                assert!(reason.contains("write local:PATH"), "{text}: {reason}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(Place::parse("etcd://a", "").is_err(), "no prefix at all");
}

proptest! {
    #[test]
    fn any_text_is_a_place_or_a_named_error(text in "(etcd://|local:)?[a-c:,/\\[\\]?&=%1-]{0,24}|.{0,40}") {
        // A typing error would end the daemon with a panic (S17).
        match Place::parse(&text, "p") {
            Ok(Place::Etcd(place)) => prop_assert!(!place.endpoints.is_empty()),
            Ok(Place::Local(path)) => prop_assert!(!path.as_os_str().is_empty()),
            Err(error) => prop_assert!(matches!(error, Error::Invalid { .. }), "{}", error),
        }
    }
}

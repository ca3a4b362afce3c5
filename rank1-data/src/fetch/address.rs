//! From a table entry to the address that is asked: mirrors, and the proxy that the environment names for it.
//!
//! Not for connections.

use super::ProxyChoice;
use super::error::FetchError;
use super::source::SourceFile;

/// The addresses of a file in the order of preference, those of the mirror if one is given.
pub(super) fn addresses(file: &SourceFile<'_>, mirror: Option<&str>) -> Result<Vec<String>, FetchError> {
    let Some(mirror) = mirror else { return Ok(file.urls.iter().map(|&url| url.to_owned()).collect()) };
    if host(mirror).is_none() {
        return Err(FetchError::Setting {
            option: "mirror",
            value: mirror.to_owned(),
            expected: "`http://HOST[/FOLDER]`, `https://HOST[/FOLDER]`, or an address with `{file}` or `{path}` in it",
        });
    }
    if mirror.contains("{file}") || mirror.contains("{path}") {
        return Ok(vec![mirror.replace("{file}", file.name()).replace("{path}", file.path)]);
    }
    let mut addresses = Vec::new();
    for url in file.urls {
        let path =
            url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let address = format!("{}/{path}", mirror.trim_end_matches('/'));
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The proxy for an address; `lookup` reads a variable of the environment.
///
/// Lowercase names win over uppercase ones, the variable of the scheme over `all_proxy`. An entry of `no_proxy` stands for
/// the host of that name and all hosts below it, `*` for every host.
pub(super) fn proxy_for(
    url: &str,
    choice: &ProxyChoice,
    lookup: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    match choice {
        ProxyChoice::Off => None,
        ProxyChoice::Address(address) => Some(address.clone()),
        ProxyChoice::Environment => {
            let read = |name: &str| {
                [name.to_owned(), name.to_uppercase()]
                    .iter()
                    .find_map(|name| lookup(name).map(|value| value.trim().to_owned()))
                    .filter(|value| !value.is_empty())
            };
            let target = host(url)?.to_lowercase();
            let direct =
                read("no_proxy").is_some_and(|list| list.split(',').any(|entry| covers(entry, &target)));
            if direct {
                return None;
            }
            let scheme = if url.starts_with("https://") { "https_proxy" } else { "http_proxy" };
            read(scheme).or_else(|| read("all_proxy"))
        }
    }
}

fn covers(entry: &str, target: &str) -> bool {
    let entry = entry.trim().to_lowercase();
    let entry = entry.trim_start_matches("*.").trim_start_matches('.');
    let name = match entry.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') => name,
        _ => entry,
    };
    name == "*"
        || (!name.is_empty() && target.strip_suffix(name).is_some_and(|h| h.is_empty() || h.ends_with('.')))
}

/// The host of an `http` or `https` address, without user and port.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(six) => six.split_once(']')?.0,
        None => host.split_once(':').map_or(host, |(host, _)| host),
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: SourceFile<'_> = SourceFile {
        path: "mnist/a.gz",
        urls: &["https://one.example/x/mnist/a.gz", "https://two.example/x/mnist/a.gz"],
        bytes: None,
        sha256: None,
    };

    #[test]
    fn a_mirror_replaces_scheme_and_host_or_fills_a_template() {
        assert_eq!(addresses(&FILE, None).unwrap(), FILE.urls);
        let mirrored = addresses(&FILE, Some("http://near.example:81/pub/")).unwrap();
        assert_eq!(mirrored, ["http://near.example:81/pub/x/mnist/a.gz"]);
        let filled = addresses(&FILE, Some("https://near.example/get?f={file}&p={path}")).unwrap();
        assert_eq!(filled, ["https://near.example/get?f=a.gz&p=mnist/a.gz"]);
        for refused in ["near.example/{file}", "ftp://near.example", "https://", "http:///x"] {
            let error = addresses(&FILE, Some(refused)).unwrap_err();
            assert!(matches!(error, FetchError::Setting { option: "mirror", .. }), "{refused}");
        }
    }

    #[test]
    fn the_environment_names_a_proxy_by_scheme_and_excepts_hosts() {
        let ask = |url: &str, variables: &[(&str, &str)]| {
            proxy_for(url, &ProxyChoice::Environment, |name| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let both = [("http_proxy", "http://p:1"), ("HTTPS_PROXY", "http://q:2")];
        assert_eq!(ask("http://a.example/", &both).as_deref(), Some("http://p:1"));
        assert_eq!(ask("https://a.example/", &both).as_deref(), Some("http://q:2"));
        assert_eq!(ask("https://a.example/", &[("all_proxy", "http://r:3")]).as_deref(), Some("http://r:3"));
        assert_eq!(ask("https://a.example/", &[("https_proxy", " ")]), None);
        for (list, direct) in [
            ("a.example", true),
            ("other, .example", true),
            ("*.a.example", true),
            ("A.Example:443", true),
            ("*", true),
            ("b.a.example", false),
            ("xample", false),
            ("", false),
        ] {
            let proxy = ask("https://a.example/f", &[("https_proxy", "http://q:2"), ("NO_PROXY", list)]);
            assert_eq!(proxy.is_none(), direct, "{list}");
        }
        assert_eq!(proxy_for("http://a/", &ProxyChoice::Off, |_| Some("http://p:1".into())), None);
    }
}

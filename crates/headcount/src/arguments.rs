//! Values that people give, as arguments or in files of settings.

use std::net::SocketAddr;

use directory::Name;

/// An address to listen on.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "an address to listen on is an IP address and a port, such as 127.0.0.1:1053 or [::1]:1053"
            .to_owned()
    })
}

/// A cluster domain.
pub(crate) fn cluster_domain(text: &str) -> Result<Name, String> {
    let name = Name::parse(text).map_err(|error| error.to_string())?;
    let plain = |label: &[u8]| {
        label.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    if name.labels().count() == 0 || !name.labels().all(plain) {
        return Err(
            "a domain is labels of lowercase letters, digits and '-', such as cluster.local"
                .to_owned(),
        );
    }
    Ok(name)
}

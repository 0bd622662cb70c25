//! The list of running containers, in the words of Docker's API and of Podman's own.

use std::net::IpAddr;

use serde::Deserialize;

use super::http;
use crate::Protocol;

/// A running container, as its engine lists it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) engine: &'static str,
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) ports: Vec<Mapping>,
}

/// A published range of ports, mostly of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mapping {
    /// The address of this machine; `None` if it is every one of both families.
    pub(crate) address: Option<IpAddr>,
    /// The first port of this machine.
    pub(crate) public: u16,
    /// The first port of the container.
    pub(crate) private: u16,
    pub(crate) count: u16,
    pub(crate) protocol: Protocol,
}

/// The containers in an answer.
pub(crate) fn decode(
    asked: &'static str,
    response: &http::Response,
) -> Result<Vec<Listed>, String> {
    if response.status != 200 {
        return Err(format!("status {}", response.status));
    }
    let listed: Vec<ContainerJson> = serde_json::from_slice(&response.body)
        .map_err(|_| "its answer is not a list of containers".to_owned())?;
    // Podman may stand in for Docker at Docker's place.
    let is_podman = response.server.is_some_and(|server| server.starts_with("Libpod/"));
    let engine = if is_podman { "podman" } else { asked };
    Ok(listed.into_iter().map(|container| container.listed(engine)).collect())
}

/// A container in the list of Docker (`ContainerSummary`) or of Podman (`ListContainer`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerJson {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    ports: Option<Vec<PortJson>>,
}

/// A port, as Docker or as Podman lists it.
#[derive(Deserialize)]
struct PortJson {
    #[serde(rename = "IP", alias = "host_ip")]
    address: Option<String>,
    #[serde(rename = "PublicPort", alias = "host_port")]
    public: Option<u16>,
    #[serde(rename = "PrivatePort", alias = "container_port")]
    private: u16,
    #[serde(rename = "Type", alias = "protocol")]
    protocol: String,
    /// Podman only.
    range: Option<u16>,
}

impl ContainerJson {
    fn listed(self, engine: &'static str) -> Listed {
        // Docker puts a slash in front; a name with another is another container's link to it.
        let names = self.names.unwrap_or_default();
        let mut names = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
        let ports = self.ports.unwrap_or_default();
        Listed {
            engine,
            id: self.id,
            name: names.find(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned),
            image: self.image.filter(|image| !image.is_empty()),
            ports: ports.iter().filter_map(PortJson::mapping).collect(),
        }
    }
}

impl PortJson {
    /// `None` if the port is exposed without being published, or is neither TCP nor UDP.
    fn mapping(&self) -> Option<Mapping> {
        Some(Mapping {
            address: match self.address.as_deref().unwrap_or_default() {
                "" => None,
                address => Some(address.parse::<IpAddr>().ok()?.to_canonical()),
            },
            public: self.public.filter(|port| *port != 0)?,
            private: self.private,
            count: self.range.unwrap_or(1).max(1),
            protocol: match self.protocol.as_str() {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(engine: &'static str, server: &str, body: &str) -> Result<Vec<Listed>, String> {
        let bytes = format!("HTTP/1.0 200 OK\r\nServer: {server}\r\n\r\n{body}");
        let response = http::response(bytes.as_bytes(), true).expect("HTTP").expect("an end");
        decode(engine, &response)
    }

    fn mapping(
        address: &str,
        public: u16,
        private: u16,
        count: u16,
        protocol: Protocol,
    ) -> Mapping {
        let address = (!address.is_empty()).then(|| address.parse().expect("an address"));
        Mapping { address, public, private, count, protocol }
    }

    #[test]
    fn the_list_of_docker() {
        // As Docker 28 answers, shortened.
        let body = r#"[{"Id":"8dfafdbc3a40","Names":["/other/link","/web"],"Image":"nginx:1.27",
            "ImageID":"sha256:d74508fb6632","Command":"/docker-entrypoint.sh nginx -g 'daemon off;'",
            "Created":1741609200,"Ports":[
            {"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
            {"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
            {"IP":"127.0.0.1","PrivatePort":53,"PublicPort":5353,"Type":"udp"},
            {"IP":"0.0.0.0","PrivatePort":9,"PublicPort":9,"Type":"sctp"},
            {"PrivatePort":443,"Type":"tcp"}],
            "Labels":{"com.docker.compose.service":"web"},"State":"running","Status":"Up 2 hours",
            "HostConfig":{"NetworkMode":"bridge"},"NetworkSettings":{"Networks":{"bridge":{"IPAMConfig":null}}},
            "Mounts":[]}]"#;
        let container = Listed {
            engine: "docker",
            id: "8dfafdbc3a40".to_owned(),
            name: Some("web".to_owned()),
            image: Some("nginx:1.27".to_owned()),
            ports: vec![
                mapping("0.0.0.0", 8080, 80, 1, Protocol::Tcp),
                mapping("::", 8080, 80, 1, Protocol::Tcp),
                mapping("127.0.0.1", 5353, 53, 1, Protocol::Udp),
            ],
        };
        assert_eq!(listed("docker", "Docker/28.0.1 (linux)", body), Ok(vec![container]));
    }

    #[test]
    fn the_two_lists_of_podman() {
        // As Podman 4.3.1 answered to both requests, shortened: the first has lost the second UDP port.
        let compatible = r#"[{"Id":"c3b50a21c180","Names":["/web"],"Image":"","ImageID":"sha256:",
            "Command":"/bin/s","Created":1795476858,"Ports":[{"PrivatePort":80,"PublicPort":18082,"Type":"tcp"},
            {"IP":"127.0.0.1","PrivatePort":81,"PublicPort":12081,"Type":"udp"}],"Labels":{},
            "NetworkSettings":{"Networks":null},"Mounts":[],"Name":"","Config":null}]"#;
        let own = r#"[{"AutoRemove":false,"Command":["/bin/s"],"ExitedAt":-62135596800,"Id":"c3b50a21c180",
            "Image":"","ImageID":"","Labels":null,"Names":["web"],"Namespaces":{},"Pid":26551,
            "Ports":[{"host_ip":"","container_port":80,"host_port":18082,"range":1,"protocol":"tcp"},
            {"host_ip":"127.0.0.1","container_port":81,"host_port":12081,"range":2,"protocol":"udp"}],
            "Size":null,"State":"running","Status":""}]"#;
        let expected = |count| Listed {
            engine: "podman",
            id: "c3b50a21c180".to_owned(),
            name: Some("web".to_owned()),
            image: None,
            ports: vec![
                mapping("", 18082, 80, 1, Protocol::Tcp),
                mapping("127.0.0.1", 12081, 81, count, Protocol::Udp),
            ],
        };
        let server = "Libpod/4.3.1 (linux)";
        assert_eq!(listed("docker", server, compatible), Ok(vec![expected(1)]));
        assert_eq!(listed("podman", server, own), Ok(vec![expected(2)]));
    }

    #[test]
    fn an_answer_without_containers_is_none() {
        assert_eq!(listed("docker", "", "[]"), Ok(Vec::new()));
        assert_eq!(
            listed("docker", "", r#"[{"Id":"a","Names":null,"Ports":null}]"#).map(|all| all.len()),
            Ok(1)
        );
        for body in ["", "{}", "[", "null", r#"[{"Id":5}]"#, r#"[{"Ports":[]}]"#, "[] x"] {
            let error = listed("docker", "", body).expect_err(body);
            assert!(error.contains("not a list of containers"), "{body}: {error}");
        }
        let refused = http::response(b"HTTP/1.0 500 Oops\r\n\r\n[]", true).expect("HTTP");
        assert_eq!(decode("docker", &refused.expect("an end")), Err("status 500".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body: String, port in "\\PC{0,20}") {
            let _ = listed("docker", "", &body);
            let _ = listed("docker", "", &format!(r#"[{{"Id":"a","Ports":[{{"IP":{port:?},"PrivatePort":1,"PublicPort":65535,"range":65535,"Type":"tcp"}}]}}]"#));
        }
    }
}

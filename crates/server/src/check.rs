//! Check of a configuration and of the files that it names, without a server.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::login::load_users;
use crate::public::TcpAddrs;
use crate::{Error, Server, ServerConfig, tls};

impl Server {
    /// Checks a configuration as [`Server::bind`] does, with the files of users and of TLS, but binds no address and opens no
    /// log. It blocks: it reads files and looks up the names of addresses, of which unknown ones are not a mistake.
    ///
    /// # Errors
    /// All mistakes that were found.
    pub fn check(config: &ServerConfig) -> Result<(), Vec<Error>> {
        let mut mistakes: Vec<Error> = config.validate().err().map(Error::from).into_iter().collect();
        mistakes.extend(tls::load(&config.tls).err().map(Error::from));
        match load_users(config) {
            Ok(users) => {
                let addrs = TcpAddrs {
                    plain: look_up(&config.bind_addrs),
                    tls: look_up(&config.tls.bind_addrs),
                    http: look_up(&config.http_addrs),
                    tls_http: look_up(&config.tls.http_addrs),
                };
                mistakes.extend(addrs.check(users.is_some(), config).err().map(Error::from));
            }
            Err(error) => mistakes.push(error.into()),
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }
}

fn look_up(addrs: &[String]) -> Box<[SocketAddr]> {
    addrs.iter().filter_map(|addr| addr.to_socket_addrs().ok()).flatten().collect()
}

//! Commands on connections.

/// Makes methods of the trait, as its neighbours do.
macro_rules! connection_commands {
    () => {
        /// Asks whether the server answers.
        fn ping(self) -> Self::Output<()> {
            self.call(request(Command::Ping, &[]))
        }

        /// Returns `message`, from the server.
        fn echo(self, message: impl AsRef<[u8]>) -> Self::Output<Bytes> {
            self.call(request(Command::Echo, &[message.as_ref()]))
        }

        /// Returns the number of the connection.
        fn client_id(self) -> Self::Output<u64> {
            self.call(request(Command::ClientId, &[]))
        }

        /// Returns the line of [`client_list`](Self::client_list) on the connection.
        fn client_info(self) -> Self::Output<String> {
            self.call(request(Command::ClientInfo, &[]))
        }

        /// Returns a line on each client that is connected.
        fn client_list(self) -> Self::Output<String> {
            self.call(request(Command::ClientList, &[]))
        }

        /// Disconnects the client of this address, `ip:port`. An error if there is none.
        fn client_kill(self, addr: impl AsRef<[u8]>) -> Self::Output<()> {
            self.call(request(Command::ClientKill, &[addr.as_ref()]))
        }

        /// Disconnects the client of this number; returns how many there were, 0 or 1.
        fn client_kill_id(self, id: u64) -> Self::Output<u64> {
            self.call(request(Command::ClientKill, &[b"ID", Digits::new().of(id)]))
        }

        /// Returns the name of the connection.
        fn client_get_name(self) -> Self::Output<Option<String>> {
            self.call(request(Command::ClientGetName, &[]))
        }

        /// Names the connection, until it breaks; [`Options::client_name`](crate::Options::client_name) names all.
        fn client_set_name(self, name: impl AsRef<[u8]>) -> Self::Output<()> {
            self.call(request(Command::ClientSetName, &[name.as_ref()]))
        }

        /// Tells the server the name (`LIB-NAME`) or the version (`LIB-VER`) of a library, for
        /// [`client_list`](Self::client_list).
        fn client_set_info(self, attribute: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<()> {
            self.call(request(Command::ClientSetInfo, &[attribute.as_ref(), value.as_ref()]))
        }

        /// Does nothing: no client is disconnected to make room.
        fn client_no_evict(self, on: bool) -> Self::Output<()> {
            let mode: &[u8] = if on { b"ON" } else { b"OFF" };
            self.call(request(Command::ClientNoEvict, &[mode]))
        }
    };
}

pub(super) use connection_commands;

//! Commands on the server as a whole.

/// Makes methods of the trait, as its neighbours do.
macro_rules! server_commands {
    () => {
        /// Returns the number of keys.
        fn count(self) -> Self::Output<u64> {
            self.call(request(Command::DbSize, &[]))
        }

        /// Returns the server's state as names and values, in the server's order.
        fn info(self) -> Self::Output<Vec<(String, String)>> {
            self.call(request(Command::Info, &[b"rustvault"]))
        }

        /// Removes all keys.
        fn flush_all(self) -> Self::Output<()> {
            self.call(request(Command::FlushAll, &[]))
        }

        /// Removes all keys: there is one database.
        fn flush_db(self) -> Self::Output<()> {
            self.call(request(Command::FlushDb, &[]))
        }

        /// Returns the server's time.
        fn time(self) -> Self::Output<SystemTime> {
            self.call(request(Command::Time, &[]))
        }

        /// Returns how many bytes of memory `key` takes with its value, or `None` if there is no such key.
        fn memory_usage(self, key: impl AsRef<[u8]>) -> Self::Output<Option<u64>> {
            self.call(request(Command::MemoryUsage, &[key.as_ref()]))
        }

        /// Returns the settings, in Redis's terms, whose names match a pattern.
        fn config_get(self, pattern: impl AsRef<[u8]>) -> Self::Output<Vec<(String, String)>> {
            self.call(request(Command::ConfigGet, &[pattern.as_ref()]))
        }

        /// Begins to rewrite the log as the live data, and returns at once; `compact` of a client waits for the end.
        fn bg_rewrite_aof(self) -> Self::Output<()> {
            self.call(request(Command::BgRewriteAof, &[]))
        }

        /// Returns the number of commands that the server has.
        fn command_count(self) -> Self::Output<u64> {
            self.call(request(Command::CommandCount, &[]))
        }

        /// Returns the names of the commands that the server has.
        fn command_list(self) -> Self::Output<Vec<String>> {
            self.call(request(Command::CommandList, &[]))
        }

        /// Returns arity, flags and keys of commands as Redis does, `Null` for one that is not there; of all if none is
        /// named.
        fn command_info<N: AsRef<[u8]>>(
            self,
            names: impl IntoIterator<Item = N>,
        ) -> Self::Output<Vec<Reply>> {
            with_all(Command::CommandInfo, names, |request| self.call(request))
        }

        /// Returns the documentation of commands as Redis does; of all if none is named.
        fn command_docs<N: AsRef<[u8]>>(self, names: impl IntoIterator<Item = N>) -> Self::Output<Reply> {
            with_all(Command::CommandDocs, names, |request| self.call(request))
        }

        /// Returns the keys in a whole command, its name first.
        fn command_get_keys<W: AsRef<[u8]>>(
            self,
            words: impl IntoIterator<Item = W>,
        ) -> Self::Output<Vec<Bytes>> {
            with_all(Command::CommandGetKeys, words, |request| self.call(request))
        }
    };
}

pub(super) use server_commands;

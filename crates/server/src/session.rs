//! Session: the server's state of one client, such as its protocol and its reply mode.

use std::sync::Arc;

use rustvault_protocol::{Category, Limits, Protocol, RequestParser};
use rustvault_users::{AllowedKeys, User};

use crate::access::UserAccess;
use crate::clients::ClientRegistration;
use crate::monitors::Monitor;

/// State of one client. It moves between threads with its connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: ClientRegistration,
    pub(crate) parser: RequestParser,
    /// Set after `HELLO 3`; without meaning in the text protocol.
    pub(crate) is_resp3: bool,
    /// Set between a refused `MULTI` and the end of its transaction: the commands in between are refused, too.
    pub(crate) is_in_refused_transaction: bool,
    /// The reply mode, as set by `CLIENT REPLY`.
    pub(crate) reply_mode: ReplyMode,
    /// Set behind `MONITOR`, until the client sends something.
    pub(crate) monitor: Option<Monitor>,
    login: Login,
    /// The generation of the users by which the login was judged last.
    access_generation: u64,
}

/// State of a client's login.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    /// There are no users, so everybody may do everything.
    Open,
    /// There are users, and the client has not proved to be one.
    LoggedOut,
    /// The client is this user.
    As(Arc<User>),
}

impl Login {
    /// Returns whether the client may read every key.
    pub(crate) fn reads_all(&self) -> bool {
        match self {
            Self::Open => true,
            Self::LoggedOut => false,
            Self::As(user) => user.rights.allow_all_keys(Category::Read),
        }
    }

    /// Returns which of the keys that start with `prefix` lists may show.
    pub(crate) fn readable_keys(&self, prefix: &[u8]) -> AllowedKeys<'_> {
        match self {
            Self::Open => AllowedKeys::All,
            Self::LoggedOut => AllowedKeys::None,
            Self::As(user) => user.rights.allowed_keys(Category::Read, prefix),
        }
    }
}

/// Reply mode of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    On,
    Off,
    /// The next answer is left out; then the mode is `On` again.
    SkipNext,
}

impl Session {
    /// Returns the session of a client that has sent nothing yet.
    pub(crate) fn new(client: ClientRegistration, limits: Limits, access: &UserAccess) -> Self {
        let access_generation = access.generation();
        let login = if access.load().is_some() { Login::LoggedOut } else { Login::Open };
        Self {
            client,
            parser: RequestParser::guarded(limits),
            is_resp3: false,
            is_in_refused_transaction: false,
            reply_mode: ReplyMode::On,
            monitor: None,
            login,
            access_generation,
        }
    }

    /// Returns the state of the login.
    #[inline]
    pub(crate) const fn login(&self) -> &Login {
        &self.login
    }

    /// Returns whether there are users and the client has not logged in.
    #[inline]
    pub(crate) const fn must_log_in(&self) -> bool {
        matches!(self.login, Login::LoggedOut)
    }

    /// Makes the client this user, whose rights the next batch is judged by.
    pub(crate) fn log_in(&mut self, user: Arc<User>) {
        self.client.set_user(Some(Arc::clone(&user)));
        self.login = Login::As(user);
    }

    /// Forgets the login. Without users it stays open.
    pub(crate) fn log_out(&mut self) {
        if !matches!(self.login, Login::Open) {
            self.client.set_user(None);
            self.login = Login::LoggedOut;
        }
    }

    /// Obeys the users as of now, at the beginning of each batch: a removed user is logged out, changed rights apply.
    #[inline]
    pub(crate) fn refresh_login(&mut self, access: &UserAccess) {
        let generation = access.generation();
        if generation != self.access_generation {
            self.access_generation = generation;
            self.judge_login_anew(access);
        }
    }

    #[cold]
    fn judge_login_anew(&mut self, access: &UserAccess) {
        let users = access.load();
        let user = match (&self.login, &users) {
            // A client that was made to forget its user had one that was removed, and may have been added again since.
            (Login::As(user), Some(users)) if self.client.user().is_some() => users.get(&user.name),
            _ => None,
        };
        match user {
            Some(user) => self.log_in(Arc::clone(user)),
            None => {
                self.client.set_user(None);
                self.login = if users.is_some() { Login::LoggedOut } else { Login::Open };
            }
        }
    }

    /// Returns whether the next answer is written, and advances the reply mode past it.
    #[inline]
    pub(crate) fn wants_next_reply(&mut self) -> bool {
        match self.reply_mode {
            ReplyMode::On => true,
            ReplyMode::Off => false,
            ReplyMode::SkipNext => {
                self.reply_mode = ReplyMode::On;
                false
            }
        }
    }

    /// Returns the id of a request of the present batch, which has so many: the client's id, and the number of the request on its
    /// connection.
    pub(crate) fn request_id(&self, index: usize, batch_len: usize) -> String {
        let behind = batch_len.saturating_sub(index + 1) as u64;
        format!("{}-{}", self.client.id, self.client.figures.requests().saturating_sub(behind))
    }

    /// Returns the protocol of the answers.
    #[inline]
    pub(crate) const fn protocol(&self) -> Protocol {
        match self.parser.is_resp() {
            Some(true) if self.is_resp3 => Protocol::Resp3,
            Some(true) => Protocol::Resp2,
            Some(false) | None => Protocol::Text,
        }
    }
}

#[cfg(test)]
impl Session {
    /// A client without a connection.
    pub(crate) fn for_tests() -> Self {
        use crate::metrics::ListenerKind;
        let clients = std::sync::Arc::new(crate::clients::Clients::default());
        let addr = crate::addr::Addr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        Self::new(
            clients.add(addr.clone(), addr, ListenerKind::Tcp),
            Limits::default(),
            &UserAccess::default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use rustvault_users::{Rights, Users};

    use super::*;
    use crate::ServerConfig;
    use crate::addr::Addr;
    use crate::engine::Engine;
    use crate::metrics::ListenerKind;

    fn users(names: &[&str], rights: &Rights) -> Users {
        let user =
            |name: &&str| User { name: (*name).to_owned(), credentials: Vec::new(), rights: rights.clone() };
        Users::new(names.iter().map(user)).unwrap()
    }

    #[test]
    fn a_session_obeys_other_users_from_its_next_batch_on() {
        let (access, mut session) = (UserAccess::default(), Session::for_tests());
        let state = |session: &mut Session| {
            session.refresh_login(&access);
            match session.login() {
                Login::Open => "open".to_owned(),
                Login::LoggedOut => "logged out".to_owned(),
                Login::As(user) => format!("{} {}", user.name, user.rights == Rights::all()),
            }
        };
        session.log_out();
        assert_eq!(state(&mut session), "open");
        access.replace(Some(Arc::new(users(&["ann", "ben"], &Rights::all()))));
        assert_eq!(state(&mut session), "logged out");
        session.log_in(Arc::clone(access.load().unwrap().get("ann").unwrap()));
        assert_eq!(state(&mut session), "ann true");
        access.replace(Some(Arc::new(users(&["ann"], &Rights::default()))));
        assert_eq!(state(&mut session), "ann false");
        assert_eq!(session.client.user().unwrap().rights, Rights::default());
        access.replace(Some(Arc::new(users(&["ben"], &Rights::all()))));
        assert_eq!(state(&mut session), "logged out");
        assert!(session.client.user().is_none());
        access.replace(None);
        assert_eq!(state(&mut session), "open");
    }

    #[test]
    fn lists_show_nothing_to_who_has_not_logged_in() {
        let reader = User { name: "ann".to_owned(), credentials: Vec::new(), rights: Rights::all() };
        for (login, keys) in [
            (Login::Open, AllowedKeys::All),
            (Login::As(Arc::new(reader)), AllowedKeys::All),
            (Login::LoggedOut, AllowedKeys::None),
        ] {
            assert_eq!(login.readable_keys(b""), keys, "{login:?}");
            assert_eq!(login.reads_all(), keys == AllowedKeys::All, "{login:?}");
        }
    }

    #[test]
    fn a_user_that_is_removed_and_added_again_has_to_log_in_again() {
        let engine = Engine::new((), &ServerConfig::default());
        let replace = |names: &[&str]| engine.replace_users(Some(users(names, &Rights::all())));
        replace(&["ann", "ben"]);
        let session = |name: &str| {
            let addr = Addr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
            let client = engine.clients.add(addr.clone(), addr, ListenerKind::Tcp);
            let mut session = Session::new(client, Limits::default(), &engine.access);
            session.log_in(Arc::clone(engine.access.load().unwrap().get(name).unwrap()));
            session
        };
        let (mut ann, mut ben) = (session("ann"), session("ben"));
        replace(&["ben"]);
        // Neither sends a request in between.
        assert!(ann.client.user().is_none() && ben.client.user().is_some());
        replace(&["ann", "ben"]);
        for session in [&mut ann, &mut ben] {
            session.refresh_login(&engine.access);
        }
        assert!(ann.must_log_in() && !ben.must_log_in());
        ann.log_in(Arc::clone(engine.access.load().unwrap().get("ann").unwrap()));
        replace(&["ann"]);
        ann.refresh_login(&engine.access);
        assert!(!ann.must_log_in());
    }
}

//! The options of `SET`.

/// Options of [`Commands::set_with`](crate::Commands::set_with): when a value is stored. Always, unless they say otherwise.
///
/// ```
/// use rustvault_client::SetOptions;
///
/// let only_if_missing = SetOptions::new().nx();
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetOptions {
    condition: Option<&'static str>,
}

impl SetOptions {
    /// Stores the value whether the key is there or not.
    pub const fn new() -> Self {
        Self { condition: None }
    }

    /// Stores the value only if the key is missing; takes the place of [`xx`](Self::xx).
    #[must_use]
    pub const fn nx(self) -> Self {
        Self { condition: Some("NX") }
    }

    /// Stores the value only if the key is there; takes the place of [`nx`](Self::nx).
    #[must_use]
    pub const fn xx(self) -> Self {
        Self { condition: Some("XX") }
    }

    /// Hands the arguments of the command to `send`.
    pub(super) fn with_arguments<O>(
        self,
        key: &[u8],
        value: &[u8],
        returns_old: bool,
        send: impl FnOnce(&[&[u8]]) -> O,
    ) -> O {
        let options = [self.condition, returns_old.then_some("GET")];
        let options = options.iter().flatten().map(|option| option.as_bytes());
        let arguments: Vec<&[u8]> = [key, value].into_iter().chain(options).collect();
        send(&arguments)
    }
}

//! The client against a scripted server on a loopback socket.

#[cfg(test)]
mod blocking;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod login;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod typed;
#[cfg(test)]
mod unpaired;

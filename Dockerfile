# The daemon and the command line. It is reached from outside of the container, so it does not start without users or a
# password. For example:
#
#   docker build --tag rustvault .
#   docker run --publish 127.0.0.1:8080:8080 --volume rustvault:/var/lib/rustvault \
#       --volume "$PWD/password:/run/secrets/rustvault-password:ro" \
#       --env RUSTVAULT_PASSWORD_FILE=/run/secrets/rustvault-password rustvault
#
# The user 999 has to be able to read the file. For users of their own, mount a file of users and set RUSTVAULT_USERS. For
# Prometheus outside of the container, set RUSTVAULT_HTTP=127.0.0.1:9121,0.0.0.0:9464 and give it a user.
FROM rust:1.89-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin rustvault-server --bin rustvault-cli

FROM debian:bookworm-slim
RUN groupadd --system --gid 999 rustvault \
    && useradd --system --uid 999 --gid 999 --home-dir /var/lib/rustvault --no-create-home --shell /usr/sbin/nologin rustvault \
    && install --directory --owner 999 --group 999 --mode 700 /var/lib/rustvault \
    && install --directory --owner 999 --group 999 --mode 755 /run/rustvault
COPY --from=build /build/target/release/rustvault-server /build/target/release/rustvault-cli /usr/local/bin/
COPY packaging/docker/is-ready /usr/local/lib/rustvault/
COPY LICENSE /usr/share/doc/rustvault/

ENV RUSTVAULT_BIND_ADDR=0.0.0.0:8080 \
    RUSTVAULT_UNIX_SOCKET=/run/rustvault/rustvault.sock \
    RUSTVAULT_HTTP=127.0.0.1:9121 \
    RUSTVAULT_WAL_PATH=/var/lib/rustvault/vault.log \
    RUSTVAULT_MESSAGE_FORMAT=json

# By number, so that Kubernetes sees that it is not root.
USER 999:999
WORKDIR /var/lib/rustvault
VOLUME /var/lib/rustvault
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/lib/rustvault/is-ready"]
ENTRYPOINT ["rustvault-server"]

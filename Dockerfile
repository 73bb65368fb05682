# fixname as an image: one static program, no shell, no user but nobody's.
#
#   docker build -t fixname .
#   docker run --rm fixname simulate --disks 302 --clusters 1e6
#
# Where no registry can be reached, ci/image makes an image of a program that is there.
ARG BUILDER=docker.io/library/rust:1.95-alpine
FROM ${BUILDER} AS build
# Alpine's target is musl, so the program is static. C is for ring alone.
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
# The image's own toolchain, not the one that rust-toolchain.toml would fetch.
RUN RUSTUP_TOOLCHAIN="$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1)" \
    cargo build --locked --release --package fixname-cli \
    && strip target/release/fixname

FROM scratch
COPY --from=build /src/target/release/fixname /usr/local/bin/fixname
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/fixname"]

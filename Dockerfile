# Two images from one build:
#   docker build --target serve -t risksweep .                  (the default)
#   docker build --target functions -t risksweep-functions .    (Azure Functions)
#
# The base images may be local ones, and nothing but the Go module proxy is
# asked for:
#   docker build --build-arg GO_IMAGE=my/go:1.26 --build-arg BASE_IMAGE=scratch .

ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot
ARG FUNCTIONS_IMAGE=mcr.microsoft.com/azure-functions/dotnet:4

FROM ${GO_IMAGE} AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local
# Another module proxy and checksum database, if Go's own are not to be asked.
ARG GOPROXY
ARG GOSUMDB
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache/mod GOMODCACHE=/cache/mod go mod download
COPY . .
# What the image is built for. The builder knows; a default would hold instead.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT=unknown
# Without paths, build id and version control the same source gives the same
# bytes.
RUN --mount=type=cache,target=/cache/mod --mount=type=cache,target=/cache/build \
    GOMODCACHE=/cache/mod GOCACHE=/cache/build GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X github.com/risksweep/risksweep/internal/cli.version=$VERSION -X github.com/risksweep/risksweep/internal/cli.commit=$COMMIT" \
    -o /out/risksweep ./cmd/job
# What a base image without anything in it lacks: certificates, and folders
# that the user may write to.
RUN mkdir -p /out/base/etc/ssl/certs /out/base/reports /out/base/config /out/base/tmp && \
    if [ -f /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt /out/base/etc/ssl/certs/; fi && \
    chown -R 65532:65532 /out/base/reports /out/base/config /out/base/tmp

FROM build AS app
RUN --mount=type=cache,target=/cache/mod --mount=type=cache,target=/cache/build \
    GOMODCACHE=/cache/mod GOCACHE=/cache/build \
    go run ./cmd/job functions package --out /out/app --binary /out/risksweep --config examples/risksweep.yaml

# The function app. Its risksweep.yaml, baseline/ and triage.yaml are the
# example's: copy your own over them.
FROM ${FUNCTIONS_IMAGE} AS functions
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    FUNCTIONS_WORKER_RUNTIME=custom
COPY --from=app /out/app /home/site/wwwroot

# serve, as a user without rights.
FROM ${BASE_IMAGE} AS serve
COPY --from=build /out/base /
COPY --from=build /out/risksweep /usr/local/bin/risksweep
USER 65532:65532
WORKDIR /config
# Reports in the volume: store: {url: file:/reports}
ENV RISKSWEEP_HTTP_LISTEN=0.0.0.0:8080
EXPOSE 8080
VOLUME ["/reports"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["/usr/local/bin/risksweep", "serve", "--check"]
ENTRYPOINT ["/usr/local/bin/risksweep"]
CMD ["serve"]

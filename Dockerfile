FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /out/ ./cmd/...

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data baleen && install -d -o baleen -g baleen /data
COPY --from=build /out/ /usr/local/bin/
USER baleen
VOLUME /data
EXPOSE 3000
ENTRYPOINT ["baleen"]
CMD ["serve"]

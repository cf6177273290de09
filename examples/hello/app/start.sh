# The first process of a container gets no default handling of signals: without the trap, SIGTERM would be ignored and the
# container killed only when ECS loses patience.
busybox httpd -f -p "${PORT:-80}" -h /app/www &
server=$!
trap 'echo "hello: SIGTERM, ending"; kill "$server"; exit 0' TERM INT
echo "hello: version ${VERSION} answers on port ${PORT:-80}"
wait "$server"

;;;; The host's files in the order in which they are compiled.

("packages" "numbers" "buffers" "base64" "json-read" "json-write" "link" "failures" "slots" "batches" "contexts"
 "transactions" "prints" "turns" "sources" "loading" "lifecycle" "engine" "host")

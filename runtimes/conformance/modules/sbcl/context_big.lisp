(lambda (message context)
  (context-set context (gethash "key" message) (make-string (gethash "bytes" message) :initial-element #\x))
  (gethash "key" message))

(lambda (message context)
  (context-send context "out" (gethash "value" message) (gethash "headers" message)))

;; NIL is "no value" when it is returned, so false is sent.
(lambda (message context)
  (or message (context-send context "out" nil)))

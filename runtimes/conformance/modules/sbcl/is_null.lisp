(lambda (message context)
  (context-send context "out" (eq message :null)))

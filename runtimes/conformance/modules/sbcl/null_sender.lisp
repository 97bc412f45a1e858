(lambda (message context)
  (declare (ignore message))
  (context-send context "out" :null)
  :null)

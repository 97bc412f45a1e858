(lambda (message context)
  (dotimes (i message)
    (context-send context (if (= (mod i 3) 2) "b" "out") i)))

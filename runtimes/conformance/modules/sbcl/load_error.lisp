(defun prepare ()
  (error "cannot load") ; HERE
  nil)

(defun run (message context)
  (declare (ignore context))
  message)

(prepare)

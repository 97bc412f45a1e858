(defun run (message context)
  (declare (ignore context))
  message)

(defun broken (message) ; HERE
  (list message

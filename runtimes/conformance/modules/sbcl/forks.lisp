(require :sb-posix)

(defun fork () (funcall (find-symbol "FORK" :sb-posix)))
(defun wait (child) (funcall (find-symbol "WAITPID" :sb-posix) child 0))

(lambda (message context)
  (let ((child (fork)))
    (format t "printed by the ~:[parent~;child~]~%" (zerop child))
    (context-log context "info" "logged")
    (context-set context "n" (1+ (context-get context "n" 0)))
    (unless (zerop child) (wait child))
    message))

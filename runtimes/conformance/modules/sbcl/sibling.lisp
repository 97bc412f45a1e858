(load-file "helper.lisp")

(lambda (message context)
  (declare (ignore context))
  (list message *name*))

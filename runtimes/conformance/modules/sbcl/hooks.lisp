(defun note (context event)
  (context-set context "events" (concatenate 'vector (context-get context "events" #()) (list event)))
  (context-send context "out" event)
  (when (equal (context-config context) event) (error "~a fails" event)))

(defun start (context) (note context "start"))
(defun stop (context) (note context "stop"))
(defun migrate (context from-version) (note context (format nil "migrate ~d" from-version)))

(defun run (message context)
  (declare (ignore message))
  (context-get context "events" #()))

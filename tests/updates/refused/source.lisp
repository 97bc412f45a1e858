(defun config (context name) (gethash name (context-config context)))

(defun note (context key event)
  (context-set context key (1+ (context-get context key 0)))
  (context-send context "notes" (vector (config context "version") event)))

(defun start (context)
  (note context "starts" "start")
  (let ((refuse (config context "refuse")))
    (when (string= refuse "start") (error "refused"))
    (when (string= refuse "die") (sb-ext:exit :code 9 :abort t)))
  (let ((i (context-get context "i" 0)))
    (make-source (lambda ()
                   (sleep 0.002)
                   (incf i)
                   (context-set context "i" i)
                   (values (vector (config context "version") i) t)))))

(defun migrate (context from-version)
  (declare (ignore from-version))
  (let ((refuse (config context "refuse")))
    (when (or (string= refuse "migrate") (context-get context refuse))
      (error "refused"))))

;; STOP
(defun stop (context) (note context "stops" "stop"))

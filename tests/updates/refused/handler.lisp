(defun config (context name) (gethash name (context-config context)))

(defun note (context key) (context-set context key (1+ (context-get context key 0))))

(defun run (message context)
  (note context "n")
  (concatenate 'vector (vector (config context "version")) message))

(defun start (context)
  (note context "starts")
  (let ((refuse (config context "refuse")))
    (when (string= refuse "start") (error "refused"))
    (when (string= refuse "die") (sb-ext:exit :code 9 :abort t))))

;; STOP
(defun stop (context) (note context "stops"))

;;;; The sbcl host: `sbcl --core host.core INPUT OUTPUT` runs the modules of one runtime for a runner (../PROTOCOL.md).

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(defconstant +o-rdonly+ 0)
(defconstant +o-wronly+ 1)
(defconstant +cloexec+ #o2000000)
(defconstant +nonblock+ #o4000)
(defconstant +least-nursery-octets+ (ash 8 20))

(defun open-pipe (path flags)
  (let ((fd (c-open path (logior flags +cloexec+))))
    (when (minusp fd) (error "cannot open ~a: ~a" path (sb-int:strerror (sb-alien:get-errno))))
    fd))

(defun limit-nursery ()
  "Collect when as much has been allocated as the modules keep, not when a twentieth of the heap has: a fresh page costs
a fault, more than what messages write there; what a collection has freed is used again, without one. But a collection
looks at what is kept: the more that is, the rarer it should be."
  (let ((most (sb-ext:bytes-consed-between-gcs)) (own 0))
    (flet ((limit (kept)
             (setf (sb-ext:bytes-consed-between-gcs) (min most (max +least-nursery-octets+ kept)))))
      (limit 0)
      (sb-ext:gc :gen 2) ; the distance is measured from a collection, generation 1's, too: it begins with 2 MB
      (setf own (sb-kernel:dynamic-usage))
      (push (lambda () (limit (- (sb-kernel:dynamic-usage) own))) sb-ext:*after-gc-hooks*))))

(defun main ()
  (destructuring-bind (input output) (last sb-ext:*posix-argv* 2)
    (with-internal-errors ()
      (let ((in (open-pipe input +o-rdonly+)))
        (setf *output* (make-output (open-pipe output +o-wronly+))
              *transaction* (make-transaction)
              *wake-fd* (c-eventfd 0 (logior +cloexec+ +nonblock+))
              *random-state* (make-random-state t)
              sb-ext:*invoke-debugger-hook* #'no-debugger
              *read-default-float-format* 'double-float)
        (dolist (signal (list sb-unix:sigterm sb-unix:sigint)) ; the end, at once
          (sb-sys:enable-interrupt signal :default))
        (mark-process)
        (install-prints)
        (hello)
        (limit-nursery)
        (run-engine (make-input in))))))

(defun hello ()
  (send-frame *output* +hello+
              :parts (list (encode (object "protocol" 1 "runtime" "sbcl" "version" (lisp-implementation-version)
                                           "pid" (sb-unix:unix-getpid)))))
  (flush *output*))

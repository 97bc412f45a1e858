;;;; Frames in and out of the two pipes (PROTOCOL.md sections 1 and 2). Does not know what a body means.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

(macrolet ((define (prefix &rest names-and-numbers)
             `(progn ,@(loop for (name number) on names-and-numbers by #'cddr
                             collect `(defconstant ,(intern (format nil "+~a~a+" prefix name)) ,number)))))
  (define "" load 1 unload 2 wires 3 data 4 pull 5 pause 6 call 7 stop 8 ping 9
          hello 16 context 17 error 18 log 19 turn 20 commit 21 paused 22 result 23 finished 24 pong 25)
  (define "FLAG-" redelivered 1 headers 2 turn 4 deleted 8 held 16))

(defconstant +none+ #xffff)
(defconstant +no-index+ #xffffffff)
(defconstant +header-octets+ 24)
(defconstant +monotonic+ 1)
(defconstant +read-octets+ (ash 256 10))
(defconstant +write-octets+ (ash 256 10))

(defstruct frame
  (kind 0 :type octet) (flags 0 :type octet) (slot 0 :type (unsigned-byte 16)) (skip 0 :type (unsigned-byte 32))
  (count 0 :type (unsigned-byte 32)) (first 0 :type (unsigned-byte 64)) (body (make-octets 0) :type octets))

(defmacro little-endian (octets at size)
  `(logior ,@(loop for i below size collect `(ash (aref ,octets (+ ,at ,i)) ,(* 8 i)))))

;;; ---------------------------------------------------------------- system calls

(sb-alien:define-alien-routine ("open" c-open) sb-alien:int (path sb-alien:c-string) (flags sb-alien:int))
(sb-alien:define-alien-routine ("poll" c-poll) sb-alien:int
  (fds sb-sys:system-area-pointer) (count sb-alien:unsigned-long) (timeout sb-alien:int))
(sb-alien:define-alien-routine ("eventfd" c-eventfd) sb-alien:int (value sb-alien:unsigned-int) (flags sb-alien:int))
(sb-alien:define-alien-routine ("_exit" c-exit) sb-alien:void (status sb-alien:int))
(sb-alien:define-alien-routine ("mmap" c-mmap) sb-sys:system-area-pointer
  (address sb-alien:unsigned-long) (size sb-alien:unsigned-long) (protection sb-alien:int) (flags sb-alien:int)
  (fd sb-alien:int) (offset sb-alien:long))
(sb-alien:define-alien-routine ("madvise" c-madvise) sb-alien:int
  (address sb-sys:system-area-pointer) (size sb-alien:unsigned-long) (advice sb-alien:int))

(defun transfer (how fd octets start end)
  "One read or write, begun again when a signal (the collector's, for instance) interrupts it: the count of octets."
  (declare (type function how) (type octets octets) (type index start end))
  (sb-sys:with-pinned-objects (octets)
    (loop
      (multiple-value-bind (count errno)
          (funcall how fd (sb-sys:sap+ (sb-sys:vector-sap octets) start) (- end start))
        (cond (count (return count))
              ((= errno sb-unix:epipe) (c-exit 0)) ; the runner is gone
              ((/= errno sb-unix:eintr) (error "the link fails: ~a" (sb-int:strerror errno))))))))

(defun read-some (fd octets start end)
  (transfer (lambda (fd sap size) (sb-unix:unix-read fd sap size)) fd octets start end))

(defun write-all (fd octets end)
  (loop with at of-type index = 0
        while (< at (the index end))
        do (incf at (the index (transfer (lambda (fd sap size) (sb-unix:unix-write fd sap 0 size)) fd octets at end)))))

(defun wait-readable (one other timeout-ms)
  "Which of two descriptors can be read (or have ended), after at most so long; -1 waits."
  (let ((fds (make-array 4 :element-type '(unsigned-byte 32))))
    (declare (dynamic-extent fds))
    (setf (aref fds 0) one (aref fds 1) 1 (aref fds 2) other (aref fds 3) 1) ; struct pollfd; POLLIN, no events
    (sb-sys:with-pinned-objects (fds)
      (loop until (>= (c-poll (sb-sys:vector-sap fds) 2 timeout-ms) 0)
            do (unless (= (sb-alien:get-errno) sb-unix:eintr) (error "poll fails"))))
    (values (logtest (aref fds 1) #xffff0000) (logtest (aref fds 3) #xffff0000))))

(declaim (inline now-us))
(defun now-us ()
  (multiple-value-bind (seconds nanoseconds) (sb-unix::clock-gettime +monotonic+)
    (declare (type (unsigned-byte 40) seconds) (type (unsigned-byte 32) nanoseconds))
    (the (unsigned-byte 60) (+ (* 1000000 seconds) (truncate nanoseconds 1000)))))

;;; ---------------------------------------------------------------- forks

(defconstant +page-octets+ 4096)
(defconstant +wipe-on-fork+ 18) ; MADV_

(declaim (type sb-sys:system-area-pointer *page*))
(sb-ext:defglobal *page* (sb-sys:int-sap 0)) ; memory that is zero in a forked child

(defun mark-process ()
  (setf *page* (c-mmap 0 +page-octets+ 3 #x22 -1 0)) ; read, write; private, anonymous
  (c-madvise *page* +page-octets+ +wipe-on-fork+)
  (setf (sb-sys:sap-ref-8 *page* 0) 1))

(declaim (inline left-p))
(defun left-p ()
  "Whether this is a forked child, which keeps away from the link."
  (zerop (sb-sys:sap-ref-8 *page* 0)))

(defun come-back (failure)
  "A forked child has done what the module wanted of it."
  (finish-output sb-sys:*stdout*)
  (format sb-sys:*stderr* "a forked child has ~:[come back: it ends here~;failed: ~:*~a~]~%" failure)
  (finish-output sb-sys:*stderr*)
  (c-exit (if failure 1 0)))

;;; ---------------------------------------------------------------- input

(defstruct (input (:constructor make-input (fd)))
  (fd 0 :type fixnum)
  (octets (make-octets +read-octets+) :type octets)
  (start 0 :type index)
  (end 0 :type index))

(defun next-frame (input)
  "The next frame that has come whole, or NIL. A frame that breaks the link ends the process with 3."
  (let* ((octets (input-octets input))
         (start (input-start input))
         (there (- (input-end input) start)))
    (when (>= there +header-octets+)
      (let ((size (little-endian octets start 4))
            (kind (aref octets (+ start 4))))
        (unless (and (<= size +max-body-bytes+) (<= +load+ kind +ping+)) (c-exit 3))
        (when (>= there (+ +header-octets+ size))
          (let ((from (+ start +header-octets+)))
            (setf (input-start input) (+ from size))
            (make-frame :kind kind :flags (aref octets (+ start 5)) :slot (little-endian octets (+ start 6) 2)
                        :skip (little-endian octets (+ start 8) 4) :count (little-endian octets (+ start 12) 4)
                        :first (little-endian octets (+ start 16) 8)
                        :body (subseq octets from (+ from size)))))))))

(defun read-input (input)
  "Read what has come, or wait for it; the process ends at the end of the input."
  (let* ((octets (input-octets input))
         (start (input-start input))
         (there (- (input-end input) start))
         (needed (if (>= there +header-octets+) (+ +header-octets+ (little-endian octets start 4)) 0))
         (size (max +read-octets+ needed))
         (target (if (= (length octets) size) octets (make-octets size))))
    (replace target octets :start2 start :end2 (input-end input))
    (setf (input-octets input) target
          (input-start input) 0)
    (let ((count (read-some (input-fd input) target there size)))
      (when (zerop count) (c-exit 0))
      (setf (input-end input) (+ there count)))))

;;; ---------------------------------------------------------------- output

(defstruct (output (:constructor make-output (fd)))
  (fd 0 :type fixnum)
  (buffer (make-buffer +write-octets+) :type buffer)
  (lock (sb-thread:make-mutex :name "output") :type sb-thread:mutex))

(defmacro with-output ((output) &body body)
  "Frames of other threads do not come between those that BODY writes."
  `(sb-thread:with-recursive-lock ((output-lock ,output)) ,@body))

(defun flush (output)
  (with-output (output)
    (let ((buffer (output-buffer output)))
      (write-all (output-fd output) (buffer-octets buffer) (buffer-end buffer))
      (empty buffer))))

(defun put-header (buffer size kind flags slot skip count first)
  (declare (type (unsigned-byte 32) size skip count) (type (unsigned-byte 64) first) (type octet kind flags)
           (type (unsigned-byte 16) slot))
  (let ((octets (reserve buffer +header-octets+)) (at (buffer-end buffer)))
    (flet ((put (value offset bytes)
             (declare (type (unsigned-byte 64) value))
             (dotimes (i bytes) (setf (aref octets (+ at offset i)) (ldb (byte 8 (* 8 i)) value)))))
      (put size 0 4) (put kind 4 1) (put flags 5 1) (put slot 6 2) (put skip 8 4) (put count 12 4) (put first 16 8))
    (setf (buffer-end buffer) (+ at +header-octets+))))

(defun send-frame (output kind &key (flags 0) (slot 0) (skip 0) (count 0) (first 0) parts)
  "Put a frame whose body is PARTS, octets or buffers, behind those that wait to be flushed."
  (flet ((size (part) (if (buffer-p part) (buffer-end part) (length (the octets part)))))
    (with-output (output)
      (let ((buffer (output-buffer output)) (size (loop for part in parts sum (size part))))
        (when (> (+ (buffer-end buffer) size) +write-octets+) (flush output))
        (put-header buffer size kind flags slot skip count first)
        (dolist (part parts)
          (if (buffer-p part)
              (put-octets (buffer-octets part) buffer 0 (buffer-end part))
              (put-octets part buffer)))))))

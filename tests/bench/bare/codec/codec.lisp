;;;; Decode, identity, encode with the host's codec; prints the microseconds of processor time a message.
;;;; `sbcl --script codec.lisp FOLDER ROUNDS`: FOLDER has the host's sources, of which the codec is compiled here.

(defpackage :bare-codec (:use :cl))
(in-package :bare-codec)

(handler-bind ((sb-ext:compiler-note #'muffle-warning))
  (dolist (name '("packages" "numbers" "buffers" "base64" "json-read" "json-write"))
    (load (format nil "~a/~a.lisp" (second sb-ext:*posix-argv*) name))))

(defun run (message) message)

(defun read-input ()
  (let ((buffer (flow-host::make-buffer)) (stream (sb-sys:make-fd-stream 0 :element-type '(unsigned-byte 8))))
    (loop for octet = (read-byte stream nil) while octet do (flow-host::put-octet octet buffer))
    (flow-host::taken buffer)))

(defun encode (input buffer)
  "Fill the buffer; how many messages there were."
  (flow-host::empty buffer)
  (let ((messages (flow-host::decode input)))
    (loop for message across (the simple-vector messages)
          for first = t then nil
          do (unless first (flow-host::put-ascii #.(format nil ",~%") buffer))
             (flow-host::write-value (run message) buffer 0))
    (length messages)))

(let* ((input (read-input))
       (rounds (parse-integer (third sb-ext:*posix-argv*)))
       (buffer (flow-host::make-buffer)))
  (loop repeat (floor rounds 4) do (encode input buffer))
  (let* ((begun (get-internal-run-time))
         (count (loop repeat rounds sum (encode input buffer)))
         (seconds (/ (- (get-internal-run-time) begun) internal-time-units-per-second)))
    (format t "~f~%" (/ (* seconds 1d6) count))))

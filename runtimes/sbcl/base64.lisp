;;;; Base64 as `$bytes` has it: with padding, canonical, nothing else.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 0)))

(declaim (type (simple-array character (64)) *base64*))
(sb-ext:defglobal *base64*
    (coerce "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" '(simple-array character (64))))

(defun write-base64 (bytes put)
  "Call PUT with each octet of the text."
  (declare (type octets bytes) (function put))
  (loop for at of-type index from 0 below (length bytes) by 3
        for left of-type index = (- (length bytes) at)
        for word of-type (unsigned-byte 24)
          = (logior (ash (aref bytes at) 16)
                    (if (> left 1) (ash (aref bytes (+ at 1)) 8) 0)
                    (if (> left 2) (aref bytes (+ at 2)) 0))
        do (loop for i from 0 below 4
                 do (funcall put (if (> i left)
                                     61
                                     (char-code (aref *base64* (ldb (byte 6 (- 18 (* 6 i))) word))))))))

(defun octets-of-base64 (text)
  (flet ((fail () (refuse 'data-error "$bytes without valid base64")))
    (unless (and (simple-string-p text) (zerop (mod (length text) 4))) (fail))
    (let* ((length (length text))
           (padding (cond ((zerop length) 0)
                          ((string= text "==" :start1 (- length 2)) 2)
                          ((char= (char text (1- length)) #\=) 1)
                          (t 0)))
           (bytes (make-array (- (* 3 (floor length 4)) padding) :element-type 'octet))
           (to 0))
      (loop for at from 0 below length by 4
            do (let ((word 0))
                 (declare (type (unsigned-byte 24) word))
                 (loop for i from at below (+ at 4)
                       for digit = (if (>= i (- length padding)) 0 (digit64 (char text i)))
                       do (setf word (logior (ldb (byte 24 0) (ash word 6)) (or digit (fail)))))
                 (loop for shift in '(16 8 0)
                       do (if (< to (length bytes))
                              (setf (aref bytes to) (ldb (byte 8 shift) word)
                                    to (1+ to))
                              (unless (zerop (ldb (byte 8 shift) word)) (fail))))))
      bytes)))

(defun digit64 (char)
  (let ((code (char-code char)))
    (cond ((<= 65 code 90) (- code 65))
          ((<= 97 code 122) (- code 71))
          ((<= 48 code 57) (+ code 4))
          ((= code 43) 62)
          ((= code 47) 63))))

;;;; Values to compact JSON text (docs/data-contract.md). What JSON has no form for is a DATA-ERROR.

(in-package :flow-host)
(declaim (optimize (speed 2) (safety 1) (debug 0)))

;;; ---------------------------------------------------------------- numbers

(defun write-integer (integer buffer)
  (unless (typep integer '(signed-byte 64)) (refuse 'data-error "~d is beyond 64 bits" integer))
  (let* ((octets (reserve buffer 20))
         (at (buffer-end buffer))
         (left (abs integer))
         (end at))
    (declare (type index at end) (type (integer 0 #.(expt 2 63)) left))
    (when (minusp integer)
      (setf (aref octets at) 45)
      (incf at))
    (setf end (+ at (loop for power of-type (unsigned-byte 64) = 10 then (* power 10)
                          for digits of-type (integer 1 20) from 1
                          when (or (= digits 19) (< left power)) return digits)))
    (loop for to of-type fixnum downfrom (1- end) to at
          do (multiple-value-bind (rest digit) (truncate left 10)
               (setf (aref octets to) (+ 48 digit)
                     left rest)))
    (setf (buffer-end buffer) end)))

(defun write-double (double buffer)
  (declare (double-float double))
  (unless (finite-p double) (refuse 'data-error "NaN and infinity have no JSON form"))
  (when (minusp (float-sign double))
    (put-octet 45 buffer)
    (setf double (- double)))
  (cond ((zerop double) (put-ascii "0.0" buffer))
        (t (multiple-value-bind (whole places) (short-decimal double)
             (if whole
                 (write-decimal whole places buffer)
                 (multiple-value-bind (point digits) (sb-impl::flonum-to-digits double)
                   (write-digits point digits buffer)))))))

(defun write-decimal (whole places buffer)
  "WHOLE / 10^PLACES."
  (declare (type (unsigned-byte 62) whole) (type (integer 0 22) places))
  (if (zerop places)
      (progn (write-integer whole buffer) (put-ascii ".0" buffer))
      (multiple-value-bind (before behind) (truncate whole (the fixnum (aref (load-time-value
                                                                             (coerce (loop for i to 18 collect (expt 10 i))
                                                                                     'simple-vector))
                                                                            places)))
        (declare (type (unsigned-byte 62) behind))
        (write-integer before buffer)
        (put-octet 46 buffer)
        (let* ((octets (reserve buffer places)) (at (buffer-end buffer)))
          (loop for to of-type fixnum downfrom (+ at places -1) to at
                do (multiple-value-bind (rest digit) (truncate behind 10)
                     (setf (aref octets to) (+ 48 digit)
                           behind rest)))
          (setf (buffer-end buffer) (+ at places))))))

(defun write-digits (point digits buffer)
  "0.DIGITS * 10^POINT."
  (declare (fixnum point) (type simple-string digits))
  (let ((count (length digits)))
    (flet ((put (from to) (loop for i from from below to do (put-octet (char-code (schar digits i)) buffer)))
           (zeros (n) (dotimes (i n) (put-octet 48 buffer))))
      (cond ((<= count point 21) (put 0 count) (zeros (- point count)) (put-ascii ".0" buffer))
            ((< 0 point 22) (put 0 point) (put-octet 46 buffer) (put point count))
            ((< -6 point 1) (put-ascii "0." buffer) (zeros (- point)) (put 0 count))
            (t (put 0 1)
               (when (> count 1) (put-octet 46 buffer) (put 1 count))
               (put-octet 101 buffer)
               (write-integer (1- point) buffer))))))

;;; ---------------------------------------------------------------- text

(defmacro with-text ((text) &body body)
  "BODY for both kinds of simple strings, each compiled on its own."
  `(etypecase ,text
     ((simple-array character (*)) ,@body)
     (simple-base-string ,@body)))

(defun write-text (text buffer)
  (declare (string text))
  (unless (simple-string-p text) (setf text (coerce text 'simple-string)))
  (put-octet 34 buffer)
  (with-text (text)
    (loop with length of-type index = (length text)
          for from of-type index from 0 below length by 1000
          do (let* ((to (min length (+ from 1000)))
                    (octets (reserve buffer (* 6 (- to from))))
                    (at (buffer-end buffer)))
               (declare (type index to at))
               (flet ((put (octet) (setf (aref octets at) octet) (incf at)))
                 (declare (inline put))
                 (loop for i of-type index from from below to
                       do (let ((code (char-code (schar text i))))
                            (cond ((and (< 34 code 127) (/= code 92)) (put code))
                                  ((or (= code 32) (= code 33)) (put code))
                                  ((or (< code 32) (= code 34) (= code 92))
                                   (setf at (write-escape code octets at)))
                                  ((< code #x80) (put code))
                                  ((< code #x800)
                                   (put (logior #xc0 (ash code -6)))
                                   (put (logior #x80 (logand code 63))))
                                  ((< code #x10000)
                                   (when (<= #xd800 code #xdfff) (refuse 'data-error "a lone surrogate in a text"))
                                   (put (logior #xe0 (ash code -12)))
                                   (put (logior #x80 (logand (ash code -6) 63)))
                                   (put (logior #x80 (logand code 63))))
                                  (t
                                   (put (logior #xf0 (ash code -18)))
                                   (put (logior #x80 (logand (ash code -12) 63)))
                                   (put (logior #x80 (logand (ash code -6) 63)))
                                   (put (logior #x80 (logand code 63))))))))
               (setf (buffer-end buffer) at))))
  (put-octet 34 buffer))

(defun write-escape (code octets at)
  (declare (type (unsigned-byte 7) code) (type octets octets) (type index at))
  (setf (aref octets at) 92)
  (let ((short (case code (34 34) (92 92) (8 98) (12 102) (10 110) (13 114) (9 116))))
    (cond (short (setf (aref octets (1+ at)) short)
                 (+ at 2))
          (t (replace octets #.(map '(vector (unsigned-byte 8)) #'char-code "u00") :start1 (1+ at))
             (flet ((hex (digit) (+ digit (if (< digit 10) 48 87))))
               (setf (aref octets (+ at 4)) (hex (ash code -4))
                     (aref octets (+ at 5)) (hex (logand code 15))))
             (+ at 6)))))

;;; ---------------------------------------------------------------- values

(defun write-value (value buffer depth)
  (declare (type (integer 0 200) depth))
  (typecase value
    (simple-string (write-text value buffer))
    (fixnum (write-integer value buffer))
    (double-float (write-double value buffer))
    (null (put-ascii "false" buffer))
    ((eql t) (put-ascii "true" buffer))
    ((eql :null) (put-ascii "null" buffer))
    (hash-table (write-object value buffer (1+ depth)))
    (simple-vector
     (check-depth (1+ depth))
     (put-octet 91 buffer)
     (loop for i of-type index from 0 below (length value)
           do (unless (zerop i) (put-octet 44 buffer))
              (write-value (svref value i) buffer (1+ depth)))
     (put-octet 93 buffer))
    (cons (write-list value buffer (1+ depth)))
    (string (write-text value buffer))
    (integer (write-integer value buffer))
    (single-float (write-single value buffer))
    ((vector (unsigned-byte 8)) (write-bytes (coerce value 'octets) buffer (1+ depth)))
    (vector (write-value (coerce value 'simple-vector) buffer depth))
    (ratio (refuse 'data-error "the ratio ~s has no JSON form: make it a double, for instance with (float x 1d0)" value))
    (t (refuse 'data-error "a value of the type ~s has no JSON form" (type-of value)))))

(defun write-single (single buffer)
  (when (or (sb-ext:float-nan-p single) (sb-ext:float-infinity-p single))
    (refuse 'data-error "NaN and infinity have no JSON form"))
  (write-double (coerce single 'double-float) buffer))

(defun write-list (list buffer depth)
  "A proper list is an array; a circular one is found, too."
  (declare (type (integer 0 200) depth))
  (check-depth depth)
  (unless (ignore-errors (list-length list)) (refuse 'data-error "a list that is not proper has no JSON form"))
  (put-octet 91 buffer)
  (loop for (item . rest) on list
        do (write-value item buffer depth)
           (when rest (put-octet 44 buffer)))
  (put-octet 93 buffer))

(defun write-bytes (bytes buffer depth)
  (check-depth depth)
  (put-ascii "{\"$bytes\":\"" buffer)
  (write-base64 bytes (lambda (octet) (put-octet (the octet octet) buffer)))
  (put-ascii "\"}" buffer))

(defun write-object (table buffer depth)
  (declare (hash-table table) (type (integer 0 200) depth))
  (check-depth depth)
  (unless (member (hash-table-test table) '(equal equalp)) (check-keys table))
  (put-octet 123 buffer)
  (let ((first t) (sole (= (hash-table-count table) 1)))
    (maphash (lambda (key value)
               (unless (stringp key) (refuse 'data-error "an object's key is no string: ~s" key))
               (unless (simple-string-p key) (setf key (coerce key 'simple-string)))
               (if first (setf first nil) (put-octet 44 buffer))
               (write-text (if (and sole (bytes-key-p key)) (concatenate 'string "$" key) key) buffer)
               (put-octet 58 buffer)
               (write-value value buffer depth))
             table))
  (put-octet 125 buffer))

(defun check-keys (table)
  "Keys that are not EQL may be the same text."
  (let ((seen (make-hash-table :test 'equal)))
    (maphash (lambda (key value)
               (declare (ignore value))
               (when (gethash key seen) (refuse 'data-error "two keys of an object are the same text: ~s" key))
               (setf (gethash key seen) t))
             table)))

(defun encode (value)
  "The octets of a value's JSON text."
  (let ((buffer (make-buffer 256)))
    (write-value value buffer 0)
    (taken buffer)))

(defun object (&rest keys-and-values)
  (let ((table (make-hash-table :test 'equal)))
    (loop for (key value) on keys-and-values by #'cddr do (setf (gethash key table) value))
    table))

(defun copy-value (value)
  "A copy of what has been written as a receiver would decode it, sharing nothing that could be changed."
  (typecase value
    (string (copy-text value))
    ((or integer double-float symbol) value)
    (hash-table
     (let ((copy (make-hash-table :test 'equal :size (hash-table-count value))))
       (maphash (lambda (key item) (setf (gethash (copy-text key) copy) (copy-value item))) value)
       copy))
    (simple-vector (map 'simple-vector #'copy-value value))
    ((vector (unsigned-byte 8)) (copy-seq (coerce value 'octets)))
    (single-float (coerce value 'double-float))
    (sequence (map 'simple-vector #'copy-value value))))

(defun copy-text (text)
  (declare (string text))
  (let ((copy (make-string (length text))))
    (unless (simple-string-p text) (setf text (coerce text 'simple-string)))
    (with-text (text) (replace copy text))))

;;;; JSON text in octets to values (docs/data-contract.md). Anything else is a DATA-ERROR, whose message says where.

(in-package :flow-host)
(declaim (optimize (speed 2) (safety 1) (debug 0)))

(defmacro octet-at (at)
  "The octet, or 0, which JSON has nowhere, behind the end. For use where OCTETS and END are bound."
  (let ((place (gensym "AT")))
    `(let ((,place ,at))
       (if (< ,place end) (aref octets ,place) 0))))

(defmacro define-reader (name (&rest more) &body body)
  "A function of OCTETS, AT, END and MORE that returns a value and the position behind it."
  `(defun ,name (octets at end ,@more)
     (declare (type octets octets) (type index at end))
     ,@body))

(defun not-json (what at)
  (refuse 'data-error "not JSON: ~a at byte ~d" what at))

(declaim (inline skip-space))
(define-reader skip-space ()
  (loop (let ((octet (octet-at at)))
          (if (or (= octet 32) (= octet 10) (= octet 13) (= octet 9))
              (incf at)
              (return at)))))

;;; ---------------------------------------------------------------- numbers

(defconstant +max-digits+ 800) ; more cannot change a double, but for whether there is more

(define-reader read-number ()
  (let ((start at) (negative nil) (mantissa 0) (digits 0) (exponent 0) (whole t))
    (declare (type index start digits) (type (unsigned-byte 62) mantissa) (fixnum exponent))
    (when (= (octet-at at) 45) (setf negative t) (incf at))
    (flet ((digit-p () (<= 48 (octet-at at) 57))
           (take () (setf mantissa (+ (* 10 (the (integer 0 #.(expt 10 17)) mantissa)) (- (aref octets at) 48)))
             (unless (zerop mantissa) (incf digits))
             (incf at)))
      (declare (inline digit-p take))
      (let ((first at))
        (loop while (digit-p) do (if (> digits 16) (return-from read-number (read-long-number octets start end)) (take)))
        (when (or (= at first) (and (= (aref octets first) 48) (> at (1+ first)))) (not-json "a number" start)))
      (when (= (octet-at at) 46)
        (setf whole nil)
        (let ((point (incf at)))
          (loop while (digit-p) do
            (if (> digits 16) (return-from read-number (read-long-number octets start end)) (take)))
          (when (= at point) (not-json "a number" start))
          (setf exponent (- point at)))))
    (when (member (octet-at at) '(101 69))
      (setf whole nil)
      (multiple-value-bind (power behind) (read-exponent octets at end start)
        (declare (fixnum power))
        (incf exponent power)
        (setf at behind)))
    (values (if whole
                (if negative (- mantissa) mantissa)
                (signed-double mantissa exponent negative start))
            at)))

(define-reader read-exponent (start)
  (let ((negative nil) (power 0))
    (declare (type (integer 0 100000000) power))
    (case (octet-at (incf at)) (45 (setf negative t) (incf at)) (43 (incf at)))
    (let ((first at))
      (loop while (<= 48 (octet-at at) 57)
            do (setf power (min 10000000 (+ (* 10 power) (- (aref octets at) 48))))
               (incf at))
      (when (= at first) (not-json "a number" start)))
    (values (if negative (- power) power) at)))

(defun signed-double (mantissa exponent negative start)
  (let ((double (decimal-double mantissa exponent)))
    (declare (type (or null double-float) double))
    (unless double (refuse 'data-error "the number at byte ~d is over the largest double" start))
    (if negative (- double) double)))

(define-reader read-long-number ()
  "A number of more digits than a fixnum surely holds: the grammar again, with integers of any size."
  (let ((start at) (negative nil) (mantissa 0) (digits 0) (exponent 0) (whole t) (rest nil))
    (declare (type index digits) (type (integer 0) mantissa) (fixnum exponent) (optimize (speed 1)))
    (when (= (octet-at at) 45) (setf negative t) (incf at))
    (flet ((take (after-point)
             (loop for digit = (- (octet-at at) 48)
                   while (<= 0 digit 9)
                   do (cond ((< digits +max-digits+)
                             (setf mantissa (+ (* 10 mantissa) digit))
                             (unless (zerop mantissa) (incf digits))
                             (when after-point (decf exponent)))
                            (t (unless (zerop digit) (setf rest t))
                               (unless after-point (incf exponent))))
                      (incf at))))
      (let ((first at))
        (take nil)
        (when (and (= (aref octets first) 48) (> at (1+ first))) (not-json "a number" start)))
      (when (= (octet-at at) 46)
        (setf whole nil)
        (let ((point (incf at)))
          (take t)
          (when (= at point) (not-json "a number" start)))))
    (when (member (octet-at at) '(101 69))
      (setf whole nil)
      (multiple-value-bind (power behind) (read-exponent octets at end start)
        (incf exponent power)
        (setf at behind)))
    (when rest (setf mantissa (1+ (* 10 mantissa)) exponent (1- exponent)))
    (let ((integer (if negative (- mantissa) mantissa)))
      (values (if (and whole (zerop exponent) (typep integer '(signed-byte 64)))
                  integer
                  (signed-double mantissa exponent negative start))
              at))))

;;; ---------------------------------------------------------------- text

(define-reader read-text ()
  "The text behind a quote at AT."
  (let ((start (incf at)))
    (loop (let ((octet (octet-at at)))
            (cond ((= octet 34)
                   (let ((text (make-string (- at start))))
                     (loop for from of-type index from start below at
                           for to of-type index from 0
                           do (setf (schar text to) (code-char (aref octets from))))
                     (return (values text (1+ at)))))
                  ((or (< octet 32) (= octet 92) (> octet 127)) (return (read-rich-text octets at end start)))
                  (t (incf at)))))))

(define-reader read-rich-text (start)
  "A text with escapes or beyond ASCII: octets from START to AT are plain ones."
  (declare (type index start))
  (let* ((size (or (position 34 octets :start at :end end) end))
         (text (make-string (+ 4 (- size start))))
         (used 0))
    (declare (type index used size) (type (simple-array character (*)) text))
    (flet ((add (code)
             (when (= used (length text)) ; escaped quotes end the estimate
               (let ((larger (make-string (* 2 used))))
                 (replace larger text)
                 (setf text larger)))
             (setf (schar text used) (code-char code))
             (incf used)))
      (loop for from of-type index from start below at do (add (aref octets from)))
      (loop
        (let ((octet (octet-at at)))
          (cond ((= octet 34) (return (values (subseq text 0 used) (1+ at))))
                ((< octet 32) (not-json (if (< at end) "a control character in a text" "an unfinished text") at))
                ((= octet 92)
                 (multiple-value-bind (code behind) (read-escape octets at end)
                   (add code)
                   (setf at behind)))
                ((< octet 128) (add octet) (incf at))
                (t (multiple-value-bind (code behind) (read-utf-8 octets at end)
                     (add code)
                     (setf at behind)))))))))

(define-reader read-utf-8 ()
  "The code of one character beyond ASCII; neither surrogates nor longer forms than needed are UTF-8."
  (let ((lead (aref octets at)) (first at))
    (flet ((more (code count least)
             (declare (type (unsigned-byte 21) code least))
             (dotimes (i count)
               (let ((octet (octet-at (incf at))))
                 (unless (= (logand octet #xc0) #x80) (refuse 'data-error "not UTF-8 at byte ~d" first))
                 (setf code (logior (ldb (byte 21 0) (ash code 6)) (logand octet 63)))))
             (when (or (< code least) (<= #xd800 code #xdfff) (> code #x10ffff))
               (refuse 'data-error "not UTF-8 at byte ~d" first))
             (values code (1+ at))))
      (cond ((= (logand lead #xe0) #xc0) (more (logand lead 31) 1 #x80))
            ((= (logand lead #xf0) #xe0) (more (logand lead 15) 2 #x800))
            ((= (logand lead #xf8) #xf0) (more (logand lead 7) 3 #x10000))
            (t (refuse 'data-error "not UTF-8 at byte ~d" first))))))

(define-reader read-escape ()
  "The code that a backslash at AT begins."
  (let ((octet (octet-at (1+ at))))
    (if (= octet 117)
        (let ((code (read-hex octets (+ at 2) end)))
          (incf at 6)
          (cond ((<= #xdc00 code #xdfff) (refuse 'data-error "a lone surrogate at byte ~d" at))
                ((<= #xd800 code #xdbff)
                 (let ((low (if (and (= (octet-at at) 92) (= (octet-at (1+ at)) 117)) (read-hex octets (+ at 2) end) 0)))
                   (unless (<= #xdc00 low #xdfff) (refuse 'data-error "a lone surrogate at byte ~d" at))
                   (values (+ #x10000 (ash (- code #xd800) 10) (- low #xdc00)) (+ at 6))))
                (t (values code at))))
        (values (case octet
                  (34 34) (92 92) (47 47) (98 8) (102 12) (110 10) (114 13) (116 9)
                  (t (not-json "an escape" at)))
                (+ at 2)))))

(define-reader read-hex ()
  (let ((code 0))
    (declare (type (unsigned-byte 16) code))
    (dotimes (i 4 code)
      (let ((digit (digit-char-p (code-char (octet-at (+ at i))) 16)))
        (unless digit (not-json "an escape" at))
        (setf code (logior (ldb (byte 16 0) (ash code 4)) digit))))))

;;; ---------------------------------------------------------------- keys

;;; The keys of messages are few and come again and again: the texts of short ones are kept.
(declaim (type (simple-vector 1024) *keys*))
(sb-ext:defglobal *keys* (make-array 1024 :initial-element ""))

(define-reader read-key ()
  (let ((hash 0) (from (1+ at)))
    (declare (type (unsigned-byte 32) hash) (type index from))
    (loop for to of-type index from from below (min end (+ from 32)) do
      (let ((octet (aref octets to)))
        (cond ((= octet 34)
               (let* ((place (logand (logxor hash (ash hash -10)) 1023))
                      (kept (svref *keys* place)))
                 (declare (type (simple-array character (*)) kept))
                 (when (and (= (length kept) (- to from))
                            (loop for i of-type index from 0 below (length kept)
                                  always (= (char-code (schar kept i)) (aref octets (+ from i)))))
                   (return-from read-key (values kept (1+ to))))
                 (return-from read-key
                   (values (setf (svref *keys* place) (read-text octets at end)) (1+ to)))))
              ((or (< octet 32) (= octet 92) (> octet 127)) (return))
              (t (setf hash (ldb (byte 32 0) (+ (* 31 hash) octet)))))))
    (read-text octets at end)))

;;; ---------------------------------------------------------------- values

(define-reader read-value (depth)
  (declare (type (integer 0 200) depth))
  (setf at (skip-space octets at end))
  (flet ((literal (word value)
           (declare (type (simple-array character (*)) word))
           (loop for char across word
                 for from of-type index from at
                 do (unless (= (octet-at from) (char-code char)) (not-json "a value" at)))
           (values value (+ at (length word)))))
    (declare (inline literal))
    (let ((octet (octet-at at)))
      (cond ((= octet 34) (read-text octets at end))
            ((or (<= 48 octet 57) (= octet 45)) (read-number octets at end))
            ((= octet 123) (read-object octets at end (1+ depth)))
            ((= octet 91) (read-array octets at end (1+ depth)))
            ((= octet 116) (literal #.(coerce "true" '(simple-array character (*))) t))
            ((= octet 102) (literal #.(coerce "false" '(simple-array character (*))) nil))
            ((= octet 110) (literal #.(coerce "null" '(simple-array character (*))) :null))
            (t (not-json (if (< at end) "a value" "the end") at))))))

(defun check-depth (depth)
  (declare (fixnum depth))
  (when (> depth +max-depth+) (refuse 'data-error "nested deeper than ~d" +max-depth+)))

(define-reader read-array (depth)
  (declare (type (integer 0 200) depth))
  (check-depth depth)
  (setf at (skip-space octets (1+ at) end))
  (if (= (octet-at at) 93)
      (values (vector) (1+ at))
      (let ((items '()) (count 0))
        (declare (type index count))
        (loop
          (multiple-value-bind (value behind) (read-value octets at end depth)
            (push value items)
            (incf count)
            (setf at (skip-space octets (the index behind) end)))
          (case (octet-at at)
            (44 (incf at))
            (93 (return))
            (t (not-json "an array" at))))
        (let ((array (make-array count)))
          (loop for item in items
                for to of-type fixnum downfrom (1- count)
                do (setf (svref array to) item))
          (values array (1+ at))))))

(define-reader read-object (depth)
  (declare (type (integer 0 200) depth))
  (check-depth depth)
  (setf at (skip-space octets (1+ at) end))
  (let ((table (make-hash-table :test 'equal)) (key ""))
    (when (= (octet-at at) 125) (return-from read-object (values table (1+ at))))
    (loop
      (unless (= (octet-at at) 34) (not-json "an object" at))
      (multiple-value-bind (text behind) (read-key octets at end)
        (setf key text
              at (skip-space octets (the index behind) end)))
      (unless (= (octet-at at) 58) (not-json "an object" at))
      (multiple-value-bind (value behind) (read-value octets (1+ at) end depth)
        (setf (gethash key table) value
              at (skip-space octets (the index behind) end)))
      (case (octet-at at)
        (44 (setf at (skip-space octets (1+ at) end)))
        (125 (return))
        (t (not-json "an object" at))))
    (values (if (and (= (hash-table-count table) 1) (bytes-key-p key))
                (unescape table key)
                table)
            (1+ at))))

(defun bytes-key-p (key)
  "Whether a sole key is `$bytes` with any number of dollars."
  (declare (type simple-string key))
  (let ((from (- (length key) 5)))
    (and (plusp from)
         (char= (schar key 0) #\$)
         (string= key "bytes" :start1 from)
         (loop for i below from always (char= (schar key i) #\$)))))

(defun unescape (table key)
  (let ((value (gethash key table)))
    (cond ((string= key "$bytes") (octets-of-base64 value))
          (t (clrhash table)
             (setf (gethash (subseq key 1) table) value)
             table))))

;;; ---------------------------------------------------------------- whole texts

(defun decode (octets &optional (start 0) (end (length octets)))
  "The value of a JSON text."
  (multiple-value-bind (value at) (read-value octets start end 0)
    (unless (= (skip-space octets at end) end) (not-json "more than one value" at))
    value))

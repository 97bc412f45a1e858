;;;; Doubles to and from decimal digits, exactly. Knows nothing of JSON's grammar.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 0)))

(declaim (type (simple-array double-float (23)) *powers*))
(sb-ext:defglobal *powers*
    (coerce (loop for i to 22 collect (coerce (expt 10 i) 'double-float)) '(simple-array double-float (23))))

(defun ratio-double (numerator denominator)
  "The double nearest to a positive quotient, ties to even; NIL when it is beyond the largest."
  (loop with exponent = (max -1074 (- (integer-length numerator) (integer-length denominator) 53)) do
    (multiple-value-bind (quotient rest)
        (if (minusp exponent)
            (floor (ash numerator (- exponent)) denominator)
            (floor numerator (ash denominator exponent)))
      (when (<= (integer-length quotient) 53)
        (let* ((unit (if (minusp exponent) denominator (ash denominator exponent)))
               (twice (* 2 rest)))
          (when (or (> twice unit) (and (= twice unit) (oddp quotient))) (incf quotient))
          (return (assemble quotient exponent))))
      (incf exponent))))

(defun assemble (mantissa exponent)
  "MANTISSA * 2^EXPONENT for a mantissa of at most 2^53 that is normalised or at the least exponent."
  (when (= mantissa (ash 1 53))
    (setf mantissa (ash 1 52))
    (incf exponent))
  (let ((bits (if (< mantissa (ash 1 52))
                  mantissa
                  (+ (ash (+ exponent 1075) 52) (- mantissa (ash 1 52))))))
    (when (< bits (ash 2047 52))
      (sb-kernel:make-double-float (ash bits -32) (ldb (byte 32 0) bits)))))

(defun decimal-double (mantissa exponent)
  "The double nearest to MANTISSA * 10^EXPONENT, MANTISSA not negative; NIL when it is beyond the largest."
  (declare (type (integer 0) mantissa) (fixnum exponent))
  (cond ((zerop mantissa) 0d0)
        ((and (< mantissa (ash 1 53)) (<= -22 exponent 22))
         (let ((double (coerce (the (unsigned-byte 53) mantissa) 'double-float)))
           (if (minusp exponent)
               (/ double (aref *powers* (- exponent)))
               (* double (aref *powers* exponent)))))
        (t (let ((magnitude (+ exponent (* 0.30103d0 (integer-length mantissa)))))
             (cond ((> magnitude 312) nil)
                   ((< magnitude -330) 0d0)
                   ((minusp exponent) (ratio-double mantissa (expt 10 (- exponent))))
                   (t (ratio-double (* mantissa (expt 10 exponent)) 1)))))))

(declaim (inline finite-p))
(defun finite-p (double)
  "By its bits: comparing a NaN traps."
  (declare (double-float double))
  (/= (ldb (byte 11 20) (sb-kernel:double-float-high-bits double)) 2047))

(declaim (inline short-decimal))
(defun short-decimal (double)
  "N and K such that a positive DOUBLE is N / 10^K with the fewest digits, when that is quickly seen; else NIL."
  (declare (double-float double))
  (when (< double 1d15)
    (loop for places of-type (integer 0 22) from 0 to 9
          for scaled of-type double-float = (* double (aref *powers* places))
          while (< scaled 9d15)
          do (let ((whole (truncate (the (double-float 0d0 9.1d15) (+ scaled 0.5d0)))))
               (when (and (= (/ (coerce whole 'double-float) (aref *powers* places)) double)
                          (plusp whole))
                 (return (values whole places)))))))

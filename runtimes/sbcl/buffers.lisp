;;;; Octets that grow at their end.

(in-package :flow-host)
(declaim (optimize (speed 2) (safety 1) (debug 0)))

(defconstant +kept-octets+ (ash 4 20)) ; a larger buffer is given up when it is emptied

(declaim (inline make-octets))
(defun make-octets (size) (make-array size :element-type 'octet))

(defstruct (buffer (:constructor make-buffer (&optional (size 4096) &aux (octets (make-octets size)))))
  (octets (make-octets 0) :type octets)
  (end 0 :type index))

(defmethod print-object ((buffer buffer) stream)
  (print-unreadable-object (buffer stream :type t) (format stream "~d octets" (buffer-end buffer))))

(declaim (ftype (function (buffer index) octets) grow))
(defun grow (buffer size)
  (declare (buffer buffer) (type index size))
  (let ((octets (make-octets (max (+ (buffer-end buffer) size) (* 2 (length (buffer-octets buffer)))))))
    (replace octets (buffer-octets buffer) :end2 (buffer-end buffer))
    (setf (buffer-octets buffer) octets)))

(declaim (inline reserve))
(defun reserve (buffer size)
  "The buffer's octets, with room for SIZE more."
  (declare (buffer buffer) (type index size))
  (if (<= (+ (buffer-end buffer) size) (length (buffer-octets buffer)))
      (buffer-octets buffer)
      (grow buffer size)))

(defun empty (buffer)
  (declare (buffer buffer))
  (setf (buffer-end buffer) 0)
  (when (> (length (buffer-octets buffer)) +kept-octets+) (setf (buffer-octets buffer) (make-octets 4096))))

(declaim (inline put-octet))
(defun put-octet (octet buffer)
  (let ((octets (reserve buffer 1)) (end (buffer-end buffer)))
    (setf (aref octets end) octet
          (buffer-end buffer) (1+ end))))

(defun put-octets (from buffer &optional (start 0) (end (length from)))
  (declare (type octets from) (type index start end) (buffer buffer))
  (let ((octets (reserve buffer (- end start))) (at (buffer-end buffer)))
    (replace octets from :start1 at :start2 start :end2 end)
    (setf (buffer-end buffer) (+ at (- end start)))))

(defmacro put-ascii (text buffer)
  "Put a short literal."
  (let ((octets (gensym "OCTETS")) (at (gensym "AT")) (place (gensym "BUFFER")))
    `(let* ((,place ,buffer) (,octets (reserve ,place ,(length text))) (,at (buffer-end ,place)))
       ,@(loop for char across text
               for i from 0
               collect `(setf (aref ,octets (+ ,at ,i)) ,(char-code char)))
       (setf (buffer-end ,place) (+ ,at ,(length text))))))

(defun taken (buffer &optional (start 0) (end (buffer-end buffer)))
  "A copy of a part."
  (subseq (buffer-octets buffer) start end))

;;;; A DATA frame's body as a row of values: each is decoded when its turn begins.

(in-package :flow-host)
(declaim (optimize (speed 1) (safety 1) (debug 1)))

;;; The headers of a message.
(defstruct (headers (:constructor make-headers (table &optional (text (encode table)))))
  (table nil :type hash-table)
  (text nil :type octets))

(defstruct batch
  (port "" :type string)
  (wire "" :type string)
  (first 0 :type (unsigned-byte 64)) ; the number of the array's element 0
  (redelivered nil)
  (announce nil)
  (body (make-octets 0) :type octets)
  (at 0 :type index) ; where in the body the next message, or white space before it, begins
  (place 0 :type index) ; of the next message in the array
  (end 0 :type index) ; the place behind the last one that is meant
  (start 0 :type index) ; where the array's first message begins
  (parts nil :type (or null simple-vector)) ; (start . end) of the messages of a body that is no JSON as a whole
  (headers nil :type (or null simple-vector))
  (ids nil :type (or null simple-vector)))

(defun open-batch (frame port wire)
  (let* ((body (frame-body frame))
         (flags (frame-flags frame))
         (start (behind body 0 91))
         (batch (make-batch :port port :wire wire :body body
                            :first (- (frame-first frame) (frame-skip frame))
                            :redelivered (logtest flags +flag-redelivered+) :announce (logtest flags +flag-turn+)
                            :end (+ (frame-skip frame) (frame-count frame)))))
    (when (logtest flags +flag-headers+)
      (multiple-value-bind (headers at) (read-value body start (length body) 0)
        (take-headers batch headers)
        (setf start (behind body (behind body at 44) 91))))
    (setf (batch-at batch) start
          (batch-start batch) start)
    (handler-case
        (dotimes (i (frame-skip frame))
          (setf (batch-at batch)
                (behind body (nth-value 1 (read-value body (batch-at batch) (length body) 0)) 44)))
      (data-error () (split batch)))
    (setf (batch-place batch) (frame-skip frame))
    batch))

(defun behind (body at octet)
  "The position behind OCTET, which must be what comes next."
  (let ((at (skip-space body at (length body))))
    (unless (and (< at (length body)) (= (aref body at) octet)) (not-json "an array" at))
    (1+ at)))

(defun take-headers (batch headers)
  "The header `id` is the message's id (PROTOCOL.md section 3) and is not shown."
  (let ((kept (make-array (length headers) :initial-element nil)))
    (loop for table across headers
          for i from 0
          when (hash-table-p table)
            do (let ((id (gethash "id" table)))
                 (when id
                   (unless (batch-ids batch)
                     (setf (batch-ids batch) (make-array (length headers) :initial-element nil)))
                   (setf (svref (batch-ids batch) i) id)
                   (remhash "id" table)))
               (when (plusp (hash-table-count table)) (setf (svref kept i) (make-headers table))))
    (setf (batch-headers batch) kept)))

(defun split (batch)
  "The slow way, when the body as a whole is not JSON: only the messages at fault become errors."
  (let* ((body (batch-body batch))
         (start (batch-start batch))
         (end (position 93 body :from-end t :end (if (batch-headers batch) (1- (length body)) (length body))))
         (parts '()))
    (loop for feed = (position 10 body :start (1+ start) :end end)
            then (and feed (position 10 body :start (1+ feed) :end end))
          while feed
          do (when (= (aref body (1- feed)) 44)
               (push (cons start (1- feed)) parts)
               (setf start (1+ feed))))
    (push (cons start end) parts)
    (setf (batch-parts batch) (coerce (nreverse parts) 'simple-vector))))

(defun ends-p (batch at)
  "Whether the bracket at AT is the one that ends the messages: nothing is behind it but, with headers, one more."
  (let* ((body (batch-body batch)) (end (length body)))
    (when (batch-headers batch)
      (setf at (skip-space body (1+ at) end))
      (unless (and (< at end) (= (aref body at) 93)) (return-from ends-p nil)))
    (= (skip-space body (1+ at) end) end)))

(defun read-next (batch)
  "The next message and where the one behind it begins; NIL and NIL when the body goes wrong here."
  (declare (optimize (speed 2)))
  (let* ((body (batch-body batch)) (end (length body)) (last (= (1+ (batch-place batch)) (batch-end batch))))
    (handler-case
        (multiple-value-bind (value at) (read-value body (batch-at batch) end 0)
          (setf at (skip-space body (the index at) end))
          (if (and (< (the index at) end)
                   (or (= (aref body at) 44) (and last (= (aref body at) 93) (ends-p batch at))))
              (values value (1+ (the index at)))
              (values nil nil)))
      (data-error () (values nil nil)))))

(defun next-message (batch)
  "The next message and NIL, or NIL and the condition that refuses it."
  (unless (batch-parts batch)
    (multiple-value-bind (value at) (read-next batch)
      (when at
        (setf (batch-at batch) at)
        (incf (batch-place batch))
        (return-from next-message (values value nil))))
    (split batch))
  (let ((place (batch-place batch)))
    (incf (batch-place batch))
    (unless (< place (length (batch-parts batch))) (error "DATA has fewer messages than it says"))
    (destructuring-bind (start . end) (svref (batch-parts batch) place)
      (handler-case (values (decode (batch-body batch) start end) nil)
        (data-error (condition) (values nil condition))))))

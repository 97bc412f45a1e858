;; Data files are beside the module: where it is, only its load knows.

(defun text (name)
  (with-open-file (in (merge-pathnames name #.*load-truename*))
    (let* ((text (make-string (file-length in))) (end (read-sequence text in)))
      (subseq text 0 end))))

(defparameter *table* (text "table.json"))

(lambda (message context)
  (declare (ignore message context))
  (list *table* (text "deep/down/words.txt")))

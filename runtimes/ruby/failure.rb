# What became of a module's code that raised: the ERROR of PROTOCOL.md section 4, with the user's file, line and stack.
require_relative "values"

module Flow
  HOST = "#{__dir__}/" # whose frames nobody wants to see
  STACK = 20
  FILES = "name it in the module's `files:`"
  GEMS = "there are no gems here, and no `dependencies:` for ruby; a file of your own is named in the module's `files:`"
  WRITABLE = "what a module may write to is named in its `limits.writable`"
  RELATIVE = "a relative path begins in the host's temporary folder: name the file in the module's `files:` and open " \
             "it beside __dir__"

  class Failure
    def self.of(error, slot, function = nil) = new(error, slot&.folder || HOST, function).shown

    def initialize(error, folder, function)
      @error, @folder, @function = error, folder, function
    end

    def shown
      file, line = place
      stack = (@error.backtrace || []).reject { |frame| frame.start_with?(HOST) }.first(STACK)
      text = [message, hint].compact.join("; ")
      { type: type, message: text, file: file, line: line, stack: own(stack.join("\n")) }.compact
    end

    private

    def type
      return "DataError" if @error.is_a?(DataError)
      Module.instance_method(:name).bind_call(@error.class)&.split("::")&.last || "Error"
    end

    def message
      @message ||= own(@error.message)
    rescue StandardError # a hostile error must not harm the host
      @message = "an error that cannot be shown"
    end

    def place
      read = @error.is_a?(SyntaxError) && message.match(/\A([^\n:]+):(\d+): /)
      return [read[1], read[2].to_i] if read
      at = @error.backtrace_locations&.find { |at| at.path&.start_with?(@folder) }
      path, line = at ? [at.path, at.lineno] : @function&.source_location # what it returned is refused
      [own(path), line] if path
    end

    def own(text) = Flow.shown(text).gsub(@folder, "").gsub(/\bFlow::Module\d+::/, "")

    def hint # what to do about it
      file = message[/ (?:-|--) (.+)\z/m, 1] # where Ruby puts it
      case @error
      when LoadError then @error.path && (@error.path.start_with?("/", ".") ? FILES : GEMS)
      when Errno::EACCES, Errno::EROFS, Errno::EPERM then WRITABLE unless file && File.exist?(file) && !File.readable?(file)
      when Errno::ENOENT then RELATIVE if file && !file.start_with?("/")
      end
    end
  end
end

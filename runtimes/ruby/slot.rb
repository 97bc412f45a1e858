# A loaded module: its code in a space and a folder of its own, its wires, its context as of the last turn that stands.
require_relative "context"

module Flow
  MAX_UNWIRED = 64 # ports of a slot that are named
  SHAPES = {
    run: "(message, context)", start: "(context)", stop: "(context)", migrate: "(context, from_version)"
  }.freeze
  HANDLERS = SHAPES.keys.freeze
  SCOPE = ->(code) { code.module_eval("binding") } # not in a method: a module may begin with `using`
  FOLDER = File.join(Dir.pwd, ".modules") # in the host's private folder

  # A module's files: beside each other in a folder, and evaluated in a Ruby module of their own, so that nobody else sees
  # their constants and methods. It extends itself: what a file does at its top level has the methods, and the instance
  # variables, that its handlers have. Kernel's methods, as the files call them, find files beside them.
  class Space
    attr_reader :folder, :code

    @@count = 0 # of loads

    def initialize
      @name, @folder, @loaded, @code = "Module#{@@count += 1}", "#{FOLDER}/#{@@count}/", {}, Module.new
      Flow.const_set(@name, @code) # its classes have names: Marshal wants them
      @code.extend(@code, finders)
    end

    def finders
      space = self
      Module.new do
        define_method(:require) { |name| space.require(name) }
        define_method(:require_relative) { |name| space.require(File.expand_path(name, "#{caller_locations(1, 1)[0].path}/..")) }
        define_method(:load) { |name, *wrap| (file = space.find(name)) ? space.evaluate(file) : super(name, *wrap) }
        private :require, :require_relative, :load
      end
    end

    def place(name, text)
      path = File.expand_path(name, @folder)
      raise LoadError, "the file #{name} is not beside the module" unless path.start_with?(@folder)
      make(File.dirname(path))
      File.binwrite(path, text)
      path
    end

    def make(folder) = File.directory?(folder) || (make(File.dirname(folder)) && Dir.mkdir(folder))

    def unload
      Flow.send(:remove_const, @name)
      remove(@folder.chomp("/"))
    rescue SystemCallError # what the module has made there and locked stays until the host ends
      nil
    end

    def remove(path)
      return File.unlink(path) unless File.directory?(path) && !File.symlink?(path)
      Dir.each_child(path) { |name| remove(File.join(path, name)) }
      Dir.rmdir(path)
    end

    def require(name) = (file = find(name)) ? once(file) : Kernel.require(name)
    def evaluate(file) = SCOPE.call(@code).eval(File.read(file), file, 1) || true

    def once(file) # files may require each other
      !@loaded[file] && (@loaded[file] = true) && evaluate(file)
    rescue Exception
      @loaded.delete(file)
      raise
    end

    def find(name) # the file of this module's that it names, by its path or from a folder in $LOAD_PATH
      bases = name.to_s.start_with?("/") ? [""] : $LOAD_PATH.map { |base| "#{File.expand_path(base.to_s)}/" }
      paths = bases.flat_map { |base| ["#{base}#{name}.rb", "#{base}#{name}"] }
      paths.find { |path| path.start_with?(@folder) && File.file?(path) }
    end
  end

  class Slot
    Out = Struct.new(:channel, :ids, :fused)
    attr_reader :host, :number, :load, :ports, :max_turn_bytes, :retry, :store, :bytes, :code, :folder, :in, :out, :fuses
    attr_accessor :held

    def initialize(host, number, load)
      @host, @number, @load, @in, @out = host, number, load, {}, {}
      Ractor.make_shareable(load["config"]) # frozen, deep inside: the same after a death
      @ports, @max_turn_bytes, @retry = load.values_at("ports", "max_turn_bytes", "retry")
      @space, @unwired = Space.new, ["out"]
      @folder = @space.folder
      restore(load["context"])
    end

    def run # its top level
      @load["files"].each { |name, text| @space.place(name, text) }
      @code = @space.code
      @space.once(@space.place(@load["name"], @load["code"]))
      @code.module_eval { public(*HANDLERS & private_instance_methods(false)) }
      raise LoadError, "it defines neither run nor start" unless @code.respond_to?(:run) || @code.respond_to?(:start)
      HANDLERS.each { |name| check_shape(name, function(name)) if function(name) }
    end

    # Refuse what no call of the host fits.
    def check_shape(name, method)
      kinds, count = method.parameters.map(&:first), SHAPES[name].count(",") + 1
      least = kinds.count(:req)
      most = kinds.include?(:rest) ? count : least + kinds.count(:opt)
      return if count.between?(least, most) && !kinds.include?(:keyreq)

      raise ArgumentError, "#{name} is called with #{SHAPES[name]}, but takes (#{method.parameters.map(&:last).join(", ")})"
    end

    def function(name) = @code.respond_to?(name) ? @code.method(name) : nil

    def unload = @space.unload

    def wire(wires)
      @in = wires["in"]
      @out = wires["out"].transform_values { |out| Out.new(*out.values_at("channel", "ids", "fused")) }
      @fuses = @out.each_value.any? { |out| out.fused.any? }
    end

    def say_unwired(port) # once; `out`, where results go, is nobody's mistake
      return if @unwired.size >= MAX_UNWIRED || @unwired.include?(port)
      @unwired << port
      @host.log("unwired", port)
    end

    def restore(context)
      @store, @bytes = {}, 0
      put(context.transform_values { |value| Flow.encode(value) })
    end

    def put(changes)
      changes.each do |key, data|
        old = @store.delete(key)
        @store[key] = data if data
        @bytes += data.to_s.bytesize - old.to_s.bytesize
      end
    end
  end
end

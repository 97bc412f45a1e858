# A loaded module: its code in a space and a folder of its own, its wires, its context as of the last turn that stands.
require_relative "context"

module Flow
  MAX_UNWIRED = 64 # ports of a slot that are named
  HANDLERS = %i[run start stop migrate].freeze
  FOLDER = File.join(Dir.pwd, ".modules") # in the host's private folder

  # The Ruby module that a module's files are loaded into: nobody else sees their constants and methods. Its files are
  # beside each other in a folder; Kernel's methods, as the files call them, find them there.
  class Space < Module
    attr_reader :folder

    @@count = 0 # of loads

    def initialize
      super
      @folder, @loaded, space = "#{FOLDER}/#{@@count += 1}/", {}, self
      define_method(:require) { |name| space.require(name) }
      define_method(:require_relative) { |name| space.require(File.expand_path(name, "#{caller_locations(1, 1)[0].path}/..")) }
      define_method(:load) { |name, *wrap| (file = space.find(name)) ? Kernel.load(file, space) : super(name, *wrap) }
      private :require, :require_relative, :load
    end

    def place(name, text)
      path = File.expand_path(name, @folder)
      raise LoadError, "the file #{name} is not beside the module" unless path.start_with?(@folder)
      make(File.dirname(path))
      File.binwrite(path, text)
      path
    end

    def make(folder) = File.directory?(folder) || (make(File.dirname(folder)) && Dir.mkdir(folder))

    def remove(path = @folder.chomp("/"))
      return File.unlink(path) unless File.directory?(path) && !File.symlink?(path)
      Dir.each_child(path) { |name| remove(File.join(path, name)) }
      Dir.rmdir(path)
    rescue SystemCallError # what the module has made there and locked stays until the host ends
      nil
    end

    def require(name)
      return Kernel.require(name) unless (file = find(name))
      !@loaded[file] && (@loaded[file] = Kernel.load(file, self))
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
      Kernel.load(@space.place(@load["name"], @load["code"]), @space)
      @space.send(:public, *HANDLERS & @space.private_instance_methods(false))
      @code = Object.new.extend(@space)
      raise LoadError, "it defines neither run nor start" unless @code.respond_to?(:run) || @code.respond_to?(:start)
    end

    def function(name) = @code.respond_to?(name) ? @code.method(name) : nil

    def unload = @space.remove

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

# A loaded module: its code, its wires, and its context as of the last turn that stands.
class Slot
  attr_reader :host, :number, :load, :store, :bytes, :code
  attr_accessor :wires, :held

  def initialize(host, number, load)
    @host, @number, @load, @wires = host, number, load, { "in" => {}, "out" => {} }
    restore(load["context"])
    space = Module.new # of its own: nobody else sees its constants and methods
    space.define_singleton_method(:require_relative) do |name|
      text = load["files"][file = "#{name.delete_suffix(".rb")}.rb"] or raise LoadError, "there is no file #{file}"
      module_eval(text, file, 1)
    end
    space.module_eval(load["code"], load["name"], 1)
    @code = Object.new.extend(space)
    raise LoadError, "it defines neither run nor start" unless @code.respond_to?(:run) || @code.respond_to?(:start)
  end

  def restore(context)
    @store, @bytes = {}, 0
    context.each { |key, value| put(key, Flow.encode(value)) }
  end

  def put(key, data)
    old = data ? @store[key] : @store.delete(key)
    @store[key] = data if data
    @bytes += data.to_s.bytesize - old.to_s.bytesize
    old
  end
end

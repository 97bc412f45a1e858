import htm from "htm";
import { h } from "preact";

export { Component, h, render } from "preact";
export * from "preact/hooks";
export const html = htm.bind(h);

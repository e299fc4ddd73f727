/** The parts of Plotly that these scripts use, its inner ones (with an underscore) of the version that is installed. */

import type { Axis, Layout, Trace } from "./figure.d.ts";

export interface Plotly {
  react(div: HTMLElement, data: Trace[], layout: object, config: object): Promise<unknown>;
  animate(div: HTMLElement, frame: { data: Trace[]; traces: number[] }, options: object): Promise<unknown>;
  toImage(figure: object, options: object): Promise<string>;
  purge(div: HTMLElement): void;
  Plots: { resize(div: HTMLElement): Promise<unknown> };
}

/** A div in which Plotly has drawn. */
export interface PlotlyDiv extends HTMLElement {
  data: Trace[];
  layout: Layout & Record<string, Axis>;
  _fullLayout: Layout & Record<string, Axis>;
  on(event: "plotly_relayout", listener: (change: Record<string, unknown>) => void): void;
  on(event: "plotly_doubleclick", listener: () => void): void;
  on(event: "plotly_click", listener: (event: { points: ClickedPoint[] }) => void): void;
}

export interface ClickedPoint {
  curveNumber: number;
  x: number;
  y: number;
}

declare global {
  interface Window {
    Plotly: Plotly;
  }
}

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
  _fullLayout: Layout & Record<string, FullAxis>;
  _fullData: FullTrace[];
  calcdata: CalculatedPoint[][];
  _dragging?: boolean;
  on(event: "plotly_relayout", listener: (change: Record<string, unknown>) => void): void;
  on(event: "plotly_afterplot", listener: () => void): void;
  on(event: "plotly_doubleclick", listener: () => void): void;
  on(event: "plotly_click", listener: (event: { points: ClickedPoint[] }) => void): void;
}

/** A trace with every attribute that Plotly has chosen for it. */
export interface FullTrace extends Trace {
  visible?: boolean | "legendonly";
  xaxis?: string;
  yaxis?: string;
  mode?: string;
  fill?: string;
  stackgroup?: string;
  connectgaps?: boolean;
  orientation?: string;
  textposition?: string;
  error_x?: { visible?: boolean };
  error_y?: { visible?: boolean };
  line?: { color?: unknown; dash?: string; shape?: string };
  marker?: { color?: unknown; size?: unknown; symbol?: unknown; cornerradius?: unknown; line?: { width?: unknown } };
  coloraxis?: string;
  zsmooth?: unknown;
  texttemplate?: string;
  xgap?: number;
  ygap?: number;
}

export interface FullAxis extends Axis {
  autorange?: unknown;
  /** From a number of the data to a pixel of the plot; clipped to the axis if asked for. */
  c2p(value: number, clip?: boolean): number;
}

/** What Plotly has worked out of one point; of a heat map, of all of it. */
export interface CalculatedPoint {
  trace?: FullTrace;
  /** Ends of a bar along its axis of positions, and where it begins across. */
  p0?: number;
  p1?: number;
  b?: number;
  /** Edges of a heat map's cells. */
  x?: number[] | number;
  y?: number[] | number;
}

export interface ColorAxis {
  cauto?: boolean;
  cmin: number;
  cmax: number;
  reversescale?: boolean;
  colorscale: [number, string][];
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

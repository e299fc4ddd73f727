/** What Python's figures are: Plotly's schema, of which the parts that these scripts touch are named. */

/** An array as it travels: numbers, or the bytes of a typed array in base64. */
export type Values = ArrayLike<number> | { dtype: string; bdata: string; shape?: string };

export interface Trace {
  type: string;
  name?: string;
  x?: Values;
  y?: Values;
  z?: Values;
  line?: { color?: unknown; dash?: string };
  marker?: { color?: unknown };
  [attribute: string]: unknown;
}

export interface Axis {
  type?: string;
  range?: [number, number];
  title?: unknown;
  [attribute: string]: unknown;
}

/** What Plotly itself does not read. */
export interface Meta {
  /** What a screen reader says. */
  alt: string;
  /** HTML above the chart. */
  words?: string;
  /** A figure with the same word as the one on the screen need not be drawn. */
  same?: string;
  /** The time of the newest move of a slider that is in it, in milliseconds; a newer figure on the screen stays. */
  after?: number;
  /** What stands still (contours) is the same in figures with the same word. */
  still?: string;
  /** Name of a colour scale of the theme. */
  scale?: "diverging" | "sequential" | "batchnorm";
  /** A height that fits the window, in pixels: at least, at most, and what else stands above and below. */
  fit?: [least: number, most: number, beside: number];
  /** Parts of the layout on a phone. */
  narrow?: Partial<Layout>;
  trail?: Trail;
}

/** A line that appears from its beginning: `at` are the shares of its length that are there by and by. */
export interface Trail {
  trace: number;
  at: number[];
  seconds: number;
}

export interface Layout {
  height: number;
  meta: Meta;
  margin?: { l?: number; r?: number; t?: number; b?: number };
  coloraxis?: { colorscale?: unknown; [attribute: string]: unknown };
  [attribute: string]: unknown;
}

export interface Figure {
  data: Trace[];
  layout: Layout;
}

/** Figures by the key of their chart. */
export type Figures = Record<string, Figure>;

import type { RoomProps } from "../../app";
import { Detail } from "./detail";
import { Shelf } from "./shelf";
import "./style.css";

/** `#/data` is the shelf, `#/data/NAME` one dataset of it. */
export function DataRoom({ argument }: RoomProps) {
  return argument ? <Detail name={argument} /> : <Shelf />;
}

import type { RoomProps } from "../../app";

export function DataRoom({ argument }: RoomProps) {
  return <h1>Data {argument}</h1>;
}

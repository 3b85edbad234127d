import { render } from "preact";
import { App } from "./app";
import "./style.css";

const place = document.getElementById("studio");
if (place) {
  place.textContent = "";
  render(<App />, place);
}

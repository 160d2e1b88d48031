//! The line, plane or whatever is linear that comes closest.

/// The coefficients of `rows` that come closest to `values`: the normal equations of scaled columns, solved by
/// elimination. Absent when they have no single solution.
pub fn least_squares(rows: &[Vec<f64>], values: &[f64]) -> Option<Vec<f64>> {
    let size = rows.first()?.len();
    let norm = |column: usize| rows.iter().map(|row| row[column].powi(2)).sum::<f64>().sqrt();
    let norms: Vec<f64> = (0..size).map(norm).collect();
    let product =
        |a: usize, b: usize| rows.iter().map(|row| row[a] * row[b]).sum::<f64>() / norms[a] / norms[b];
    let right = |a: usize| rows.iter().zip(values).map(|(row, value)| row[a] * value).sum::<f64>() / norms[a];
    let mut equations: Vec<Vec<f64>> =
        (0..size).map(|a| (0..size).map(|b| product(a, b)).chain([right(a)]).collect()).collect();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|&a, &b| equations[a][column].abs().total_cmp(&equations[b][column].abs()))?;
        equations.swap(column, pivot);
        let row = equations[column].clone();
        if row[column].is_nan() || row[column].abs() < 1e-12 {
            return None;
        }
        for other in (0..size).filter(|&other| other != column) {
            let factor = equations[other][column] / row[column];
            equations[other].iter_mut().zip(&row).for_each(|(value, above)| *value -= factor * above);
        }
    }
    Some((0..size).map(|index| equations[index][size] / equations[index][index] / norms[index]).collect())
}
